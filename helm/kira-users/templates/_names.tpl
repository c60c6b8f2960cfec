{{/* Names, labels and the image. Each takes the root context, or a dict with `root` and `component`. */}}

{{- define "kira-users.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/*
Short enough for the longest suffix. A longer name ends in a digest of the whole, so that two releases whose names begin
with the same 40 characters do not share objects.
*/}}
{{- define "kira-users.fullname" -}}
{{- $name := printf "%s-%s" .Release.Name (include "kira-users.name" .) -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if contains (include "kira-users.name" .) .Release.Name -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- if gt (len $name) 40 -}}
{{- printf "%s-%s" ($name | trunc 31 | trimSuffix "-") ($name | sha256sum | trunc 8) -}}
{{- else -}}
{{- $name | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "kira-users.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "kira-users.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "kira-users.selector" -}}
app.kubernetes.io/name: {{ include "kira-users.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of an object of one component. */}}
{{- define "kira-users.componentLabels" -}}
{{ include "kira-users.labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "kira-users.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "kira-users.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "kira-users.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "kira-users.sqliteClaim" -}}
{{- default (printf "%s-data" (include "kira-users.fullname" .)) .Values.sqlite.persistence.existingClaim -}}
{{- end -}}

{{- define "kira-users.documentsClaim" -}}
{{- default (printf "%s-documents" (include "kira-users.fullname" .)) .Values.documents.persistence.existingClaim -}}
{{- end -}}

{{/* The number of API pods; with an autoscaler, the lowest. */}}
{{- define "kira-users.apiReplicas" -}}
{{- if eq .Values.mode "sqlite" -}}
1
{{- else if .Values.api.autoscaling.enabled -}}
{{ .Values.api.autoscaling.minReplicas }}
{{- else if kindIs "invalid" .Values.api.replicas -}}
3
{{- else -}}
{{ .Values.api.replicas }}
{{- end -}}
{{- end -}}

{{- define "kira-users.workerReplicas" -}}
{{- if or (eq .Values.mode "sqlite") (not .Values.worker.enabled) -}}
0
{{- else if .Values.worker.autoscaling.enabled -}}
{{ .Values.worker.autoscaling.minReplicas }}
{{- else -}}
{{ .Values.worker.replicas }}
{{- end -}}
{{- end -}}

{{/* `true` where the worker has pods of its own. */}}
{{- define "kira-users.hasWorker" -}}
{{- if and (eq .Values.mode "postgres") .Values.worker.enabled -}}true{{- end -}}
{{- end -}}

{{- define "kira-users.restPort" -}}
{{- default (ternary 443 80 (ne .Values.tls.rest.secretName "")) .Values.service.rest.port -}}
{{- end -}}
