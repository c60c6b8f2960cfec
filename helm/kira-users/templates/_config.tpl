{{/* The program's settings, by their names. */}}

{{/* A value as the program reads it; numbers come from YAML as floating point. */}}
{{- define "kira-users.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ int64 . }}{{- else -}}{{ toString . }}{{- end -}}
{{- end -}}

{{/* The settings that have values of their own. An empty value leaves the setting at the program's default. */}}
{{- define "kira-users.placed" -}}
{{- $v := .Values -}}
{{- $placed := dict
    "KIRA_DATABASE_MAX_CONNECTIONS" $v.database.maxConnections
    "KIRA_VERIFICATION_PROVIDER" $v.verification.provider
    "KIRA_RULES_AUTO_APPROVE" $v.verification.rulesAutoApprove
    "KIRA_VERIFICATION_DEADLINE" $v.verification.deadline
    "KIRA_VENDOR_URL" $v.verification.vendor.url
    "KIRA_VENDOR_TIMEOUT" $v.verification.vendor.timeout
    "KIRA_REQUEST_TIMEOUT" $v.server.requestTimeout
    "KIRA_MAX_BODY_BYTES" $v.server.maxBodyBytes
    "KIRA_RATE_LIMIT_PER_SECOND" $v.server.rateLimitPerSecond
    "KIRA_MAX_CONCURRENT_REQUESTS" $v.server.maxConcurrentRequests
    "KIRA_MAX_CONNECTIONS" $v.server.maxConnections
    "KIRA_CORS_ORIGINS" $v.server.corsOrigins
    "KIRA_WEBHOOK_ALLOW" $v.webhooks.allow
    "KIRA_WEBHOOK_TIMEOUT" $v.webhooks.timeout
    "KIRA_TOKEN_LIFETIME" $v.auth.tokenLifetime
    "KIRA_TOKEN_ISSUER" $v.auth.tokenIssuer
    "KIRA_JWKS_URL" $v.auth.jwks.url
    "KIRA_JWT_ISSUER" $v.auth.jwks.issuer
    "KIRA_JWT_AUDIENCE" $v.auth.jwks.audience
    "KIRA_JWT_CLIENT_ID_CLAIM" $v.auth.jwks.clientIdClaim
    "KIRA_REVIEW_FOUR_EYES" $v.review.fourEyes
    "KIRA_MASK_NUMBERS" $v.responses.maskNumbers
    "KIRA_LOG" $v.telemetry.log
    "KIRA_OTLP_ENDPOINT" $v.telemetry.otlp.endpoint
    "KIRA_OTLP_PROTOCOL" $v.telemetry.otlp.protocol
    "KIRA_OTLP_METRICS" $v.telemetry.otlp.metrics
    "KIRA_TRACE_SAMPLE_RATIO" $v.telemetry.traceSampleRatio -}}
{{- $given := dict -}}
{{- range $name, $value := $placed -}}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "")) -}}
{{- $_ := set $given $name (include "kira-users.text" $value) -}}
{{- end -}}
{{- end -}}
{{- toYaml $given -}}
{{- end -}}

{{/* The settings that the chart determines. */}}
{{- define "kira-users.fixed" -}}
KIRA_HTTP_ADDR: {{ printf "%s:8080" .Values.server.listenAddress | quote }}
KIRA_GRPC_ADDR: {{ printf "%s:50051" .Values.server.listenAddress | quote }}
KIRA_ADMIN_ADDR: {{ printf "%s:9090" .Values.server.listenAddress | quote }}
KIRA_DATA_DIR: /var/lib/kira
{{- if eq .Values.mode "sqlite" }}
# It would print its credentials to the log.
KIRA_DEMO_CLIENT: "false"
{{- end }}
{{- if not (kindIs "invalid" .Values.server.shutdownDelaySeconds) }}
KIRA_SHUTDOWN_DELAY: {{ printf "%ds" (int .Values.server.shutdownDelaySeconds) }}
{{- end }}
KIRA_SHUTDOWN_TIMEOUT: {{ printf "%ds" (int .Values.server.shutdownTimeoutSeconds) }}
{{- if .Values.documents.url }}
KIRA_DOCUMENTS_URL: {{ .Values.documents.url | quote }}
{{- else if and (eq .Values.mode "postgres") .Values.documents.persistence.enabled }}
KIRA_DOCUMENTS_URL: /var/lib/kira/documents
{{- end }}
{{- $secrets := include "kira-users.secrets" . | fromYaml }}
{{- range $file, $name := dict "database-url" "KIRA_DATABASE_URL" "master-keys" "KIRA_MASTER_KEYS" "vendor-secret" "KIRA_VENDOR_SECRET" "sink-nats-url" "KIRA_SINK_NATS_URL" "sink-amqp-url" "KIRA_SINK_AMQP_URL" "sink-redis-url" "KIRA_SINK_REDIS_URL" }}
{{- if hasKey $secrets $file }}
{{ $name }}_FILE: /etc/kira/secrets/{{ $file }}
{{- end }}
{{- end }}
{{- if .Values.products }}
KIRA_CONFIG: /etc/kira/config/config.toml
{{- end }}
{{- end -}}

{{/* All settings that the pods share, by name. Checked by `kira-users.check`. */}}
{{- define "kira-users.config" -}}
{{- $config := merge (include "kira-users.fixed" . | fromYaml) (include "kira-users.placed" . | fromYaml) -}}
{{- range $name, $value := .Values.config -}}
{{- $_ := set $config $name (include "kira-users.text" $value) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/*
The same as environment of a container. They are part of the pod's template, not of a ConfigMap: that would change in place
with an upgrade, and a pod of the version before that starts again would read settings that it does not know, and end.
*/}}
{{- define "kira-users.settingsEnv" -}}
{{- range $name, $value := include "kira-users.config" . | fromYaml }}
{{- /* Kubernetes would take a dollar for the beginning of another variable. */}}
- {name: {{ $name }}, value: {{ $value | replace "$" "$$" | quote }}}
{{- end }}
{{- end -}}

{{/* The configuration file of the program, KIRA_CONFIG. */}}
{{- define "kira-users.toml" -}}
{{- range .Values.products }}
[[products]]
id = {{ .id | quote }}
code = {{ .code | quote }}
name = {{ .name | toJson }}
{{- end }}
{{- end -}}

{{/* The settings of the listeners' TLS. Only the API pods have the files. */}}
{{- define "kira-users.tlsEnv" -}}
{{- range $protocol, $tls := .Values.tls -}}
{{- $prefix := ternary "KIRA_HTTP_TLS" "KIRA_GRPC_TLS" (eq $protocol "rest") -}}
{{- if $tls.secretName }}
- {name: {{ $prefix }}_CERT, value: /etc/kira/tls/{{ $protocol }}/tls.crt}
- {name: {{ $prefix }}_KEY, value: /etc/kira/tls/{{ $protocol }}/tls.key}
{{- if $tls.clientCA.secretName }}
- {name: {{ $prefix }}_CLIENT_CA, value: /etc/kira/tls/{{ $protocol }}-client-ca/ca.crt}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The pod as resource attributes of traces and metrics. */}}
{{- define "kira-users.otlpEnv" -}}
{{- if or .Values.telemetry.otlp.endpoint (hasKey .Values.config "KIRA_OTLP_ENDPOINT") }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: OTEL_RESOURCE_ATTRIBUTES
  value: service.instance.id=$(POD_NAME),k8s.pod.name=$(POD_NAME),k8s.namespace.name={{ .Release.Namespace }}
{{- end }}
{{- end -}}
