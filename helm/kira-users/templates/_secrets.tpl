{{/*
Which Secret holds what. Each secret is one of: given by name, made by the External Secrets Operator, or not there.
`kira-users.secrets` gives a YAML map: file name in the pod → {name, key} of the Secret.
*/}}

{{- define "kira-users.externalSecretName" -}}
{{- printf "%s-external" (include "kira-users.fullname" .) -}}
{{- end -}}

{{- define "kira-users.secrets" -}}
{{- $external := .Values.externalSecrets -}}
{{- $known := list
    (dict "file" "database-url" "existing" .Values.database.existingSecret "remote" $external.database)
    (dict "file" "master-keys" "existing" .Values.keyRing.existingSecret "remote" $external.keyRing)
    (dict "file" "vendor-secret" "existing" .Values.verification.vendor.existingSecret "remote" $external.vendor)
    (dict "file" "sink-nats-url" "existing" .Values.sinks.nats.existingSecret "remote" dict)
    (dict "file" "sink-amqp-url" "existing" .Values.sinks.amqp.existingSecret "remote" dict)
    (dict "file" "sink-redis-url" "existing" .Values.sinks.redis.existingSecret "remote" dict)
    (dict "file" "clients.json" "existing" .Values.clients.existingSecret "remote" $external.clients) -}}
{{- $secrets := dict -}}
{{- range $known -}}
{{- if .existing.name -}}
{{- $_ := set $secrets .file (dict "name" .existing.name "key" .existing.key) -}}
{{- else if and $external.enabled .remote.key -}}
{{- $_ := set $secrets .file (dict "name" (include "kira-users.externalSecretName" $) "key" .file) -}}
{{- end -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}
