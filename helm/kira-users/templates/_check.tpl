{{/*
Rejects values that cannot work, with all problems at once. The schema of the values checks their form; this checks their
combinations. Each check returns a line for each problem.
*/}}

{{- define "kira-users.check" -}}
{{- $problems := list
    (include "kira-users.checkMode" .)
    (include "kira-users.checkSecrets" .)
    (include "kira-users.checkConfig" .)
    (include "kira-users.checkExtraEnv" .)
    (include "kira-users.checkScale" (dict "name" "api" "replicas" (include "kira-users.apiReplicas" .) "values" .Values.api))
    (include "kira-users.checkScale" (dict "name" "worker" "replicas" (include "kira-users.workerReplicas" .) "values" .Values.worker))
    (include "kira-users.checkOutside" .)
    (include "kira-users.checkVolumes" .) | join "" -}}
{{- if $problems -}}
{{- fail (printf "the values cannot work:%s" $problems) -}}
{{- end -}}
{{- end -}}

{{- define "kira-users.checkMode" -}}
{{- $v := .Values -}}
{{- if eq $v.mode "sqlite" -}}
{{- if $v.api.autoscaling.enabled -}}
{{- "api.autoscaling.enabled does not go with mode=sqlite: an SQLite file has one writer, so there is exactly one pod; use mode=postgres to scale." | printf "\n* %s" -}}
{{- end -}}
{{- if not (or (kindIs "invalid" $v.api.replicas) (eq (int $v.api.replicas) 1)) -}}
{{- printf "api.replicas=%d does not go with mode=sqlite: an SQLite file has one writer, so there is exactly one pod; use mode=postgres for more." (int $v.api.replicas) | printf "\n* %s" -}}
{{- end -}}
{{- if $v.documents.persistence.enabled -}}
{{- "documents.persistence is for mode=postgres: with mode=sqlite the documents are on the volume of sqlite.persistence." | printf "\n* %s" -}}
{{- end -}}
{{- else -}}
{{- if and (not $v.documents.url) (not $v.documents.persistence.enabled) -}}
{{- "mode=postgres needs a place for documents that all pods share: documents.url (s3://, gs://, az://) or documents.persistence.enabled with a ReadWriteMany volume." | printf "\n* %s" -}}
{{- end -}}
{{- if and $v.documents.url $v.documents.persistence.enabled -}}
{{- "documents.url and documents.persistence.enabled are both given: documents are kept in one place; give one of them." | printf "\n* %s" -}}
{{- end -}}
{{- if and $v.documents.persistence.enabled (not $v.documents.persistence.existingClaim) (not (has "ReadWriteMany" $v.documents.persistence.accessModes)) -}}
{{- "documents.persistence.accessModes must have ReadWriteMany: pods of several nodes write documents." | printf "\n* %s" -}}
{{- end -}}
{{- if not (or $v.verification.provider (hasKey $v.config "KIRA_VERIFICATION_PROVIDER")) -}}
{{- "verification.provider must be given with mode=postgres: rules, http, or sandbox to try; a real installation must not verify every user by default." | printf "\n* %s" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kira-users.checkSecrets" -}}
{{- $v := .Values -}}
{{- $secrets := include "kira-users.secrets" . | fromYaml -}}
{{- if eq $v.mode "postgres" -}}
{{- if not (hasKey $secrets "database-url") -}}
{{- "mode=postgres needs the database's URL in a Secret: database.existingSecret.name, or externalSecrets.database.key with externalSecrets.enabled." | printf "\n* %s" -}}
{{- end -}}
{{- if not (hasKey $secrets "master-keys") -}}
{{- "mode=postgres needs master keys in a Secret: keyRing.existingSecret.name, or externalSecrets.keyRing.key with externalSecrets.enabled. The chart makes none: the personal data is lost with a key that is kept in one cluster alone." | printf "\n* %s" -}}
{{- end -}}
{{- else if hasKey $secrets "database-url" -}}
{{- "a database URL is given, but mode is sqlite; say mode=postgres." | printf "\n* %s" -}}
{{- end -}}
{{- $provider := default $v.verification.provider (get $v.config "KIRA_VERIFICATION_PROVIDER") -}}
{{- if and (eq (toString $provider) "http") (not (hasKey $secrets "vendor-secret")) -}}
{{- "verification.provider=http needs the vendor's secret: verification.vendor.existingSecret.name, or externalSecrets.vendor.key with externalSecrets.enabled." | printf "\n* %s" -}}
{{- end -}}
{{- if and $v.externalSecrets.enabled (not $v.externalSecrets.secretStoreRef.name) -}}
{{- "externalSecrets.secretStoreRef.name must name the store." | printf "\n* %s" -}}
{{- end -}}
{{- range $protocol, $tls := $v.tls -}}
{{- if and $tls.clientCA.secretName (not $tls.secretName) -}}
{{- printf "tls.%s.clientCA needs tls.%s.secretName: client certificates are asked for over TLS alone." $protocol $protocol | printf "\n* %s" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kira-users.checkConfig" -}}
{{- $known := .Files.Lines "files/settings.txt" -}}
{{- $fixed := include "kira-users.fixed" . | fromYaml -}}
{{- $placed := include "kira-users.placed" . | fromYaml -}}
{{- range $name, $_ := .Values.config -}}
{{- if has (trimSuffix "_FILE" $name) (list "KIRA_DATABASE_URL" "KIRA_MASTER_KEYS" "KIRA_VENDOR_SECRET" "KIRA_SINK_NATS_URL" "KIRA_SINK_NATS_CREDENTIALS" "KIRA_SINK_AMQP_URL" "KIRA_SINK_REDIS_URL") -}}
{{- printf "config.%s: secrets do not belong in values; give the name of a Secret in database.existingSecret, keyRing.existingSecret, verification.vendor.existingSecret or sinks, or extraEnv with secretKeyRef." $name | printf "\n* %s" -}}
{{- end -}}
{{- if or (hasKey $fixed $name) (has $name (list "KIRA_WORKER" "KIRA_DEMO_CLIENT" "KIRA_SHUTDOWN_DELAY" "KIRA_CONFIG" "KIRA_DOCUMENTS_URL")) (contains "_TLS_" $name) -}}
{{- printf "config.%s: the chart sets this itself; see server, worker, documents, products and tls in the values." $name | printf "\n* %s" -}}
{{- end -}}
{{- if hasKey $placed $name -}}
{{- printf "config.%s is also given by a value of its own; give it once." $name | printf "\n* %s" -}}
{{- end -}}
{{- if not (has $name $known) -}}
{{- printf "config.%s: the program knows no such setting; `kira-users --help` lists them." $name | printf "\n* %s" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Two variables of one name in a pod: Kubernetes takes the last, or refuses them, by how they are applied. */}}
{{- define "kira-users.checkExtraEnv" -}}
{{- $config := include "kira-users.config" . | fromYaml -}}
{{- range .Values.extraEnv -}}
{{- if or (hasKey $config .name) (eq .name "KIRA_WORKER") (and (hasPrefix "KIRA_" .name) (contains "_TLS_" .name)) -}}
{{- printf "extraEnv: %s is set by the chart already; say it by its value, or in config." .name | printf "\n* %s" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kira-users.checkScale" -}}
{{- $replicas := int .replicas -}}
{{- $scaling := .values.autoscaling -}}
{{- if and $scaling.enabled (lt (int $scaling.maxReplicas) (int $scaling.minReplicas)) -}}
{{- printf "%s.autoscaling.maxReplicas is below minReplicas." .name | printf "\n* %s" -}}
{{- end -}}
{{- $budget := .values.podDisruptionBudget -}}
{{- $unavailable := $budget.maxUnavailable | toString -}}
{{- $away := int $unavailable -}}
{{- /* Kubernetes rounds a percentage up. */ -}}
{{- if hasSuffix "%" $unavailable -}}
{{- $away = div (add (mul (trimSuffix "%" $unavailable | int) $replicas) 99) 100 -}}
{{- end -}}
{{- if and $budget.enabled (gt $replicas 1) (ge (int $away) $replicas) -}}
{{- printf "%s.podDisruptionBudget.maxUnavailable=%s lets all %d pods be taken at once; give less." .name $unavailable $replicas | printf "\n* %s" -}}
{{- end -}}
{{- end -}}

{{- define "kira-users.checkOutside" -}}
{{- if gt (int .Values.server.shutdownDelaySeconds) (int .Values.server.shutdownTimeoutSeconds) -}}
{{- "server.shutdownDelaySeconds is longer than the whole shutdown, server.shutdownTimeoutSeconds." | printf "\n* %s" -}}
{{- end -}}
{{- range $name, $route := .Values.gateway -}}
{{- if and $route.enabled (not $route.parentRefs) -}}
{{- printf "gateway.%s.parentRefs must name a gateway." $name | printf "\n* %s" -}}
{{- end -}}
{{- end -}}
{{- $rest := .Values.service.rest -}}
{{- if and $rest.externalTrafficPolicy (eq $rest.type "ClusterIP") -}}
{{- "service.rest.externalTrafficPolicy is for the types NodePort and LoadBalancer; set service.rest.type." | printf "\n* %s" -}}
{{- end -}}
{{- if and $rest.loadBalancerSourceRanges (ne $rest.type "LoadBalancer") -}}
{{- "service.rest.loadBalancerSourceRanges is for the type LoadBalancer; set service.rest.type." | printf "\n* %s" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- "metrics.serviceMonitor and metrics.podMonitor are both enabled: every pod would be scraped twice; enable one." | printf "\n* %s" -}}
{{- end -}}
{{- end -}}

{{- /* A new name makes a new claim, and the data stays on the one before. */}}
{{- define "kira-users.checkVolumes" -}}
{{- $v := .Values -}}
{{- $live := include "kira-users.liveClaims" . | fromYaml -}}
{{- $own := dict -}}
{{- if and (eq $v.mode "sqlite") $v.sqlite.persistence.enabled (not $v.sqlite.persistence.existingClaim) -}}
{{- $own = dict "kind" "data" "name" (include "kira-users.sqliteClaim" .) "value" "sqlite.persistence.existingClaim" -}}
{{- else if and (eq $v.mode "postgres") $v.documents.persistence.enabled (not $v.documents.persistence.existingClaim) -}}
{{- $own = dict "kind" "documents" "name" (include "kira-users.documentsClaim" .) "value" "documents.persistence.existingClaim" -}}
{{- end -}}
{{- if and $own (not (hasKey $live $own.name)) -}}
{{- range $name, $_ := $live -}}
{{- if hasSuffix (printf "-%s" $own.kind) $name -}}
{{- printf "the %s of this release are on the volume claim %s, and these values would make a new, empty one, %s: keep nameOverride and fullnameOverride as they were, or give %s=%s, or delete that claim if what is on it is not needed." (ternary "users" "documents" (eq $own.kind "data")) $name $own.name $own.value $name | printf "\n* %s" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
