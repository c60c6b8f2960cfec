{{/*
A pod of the program. It takes a dict: `root`; `component`; `values`, the part of the values that is about this
component; `container`, the YAML of the container's own part.
*/}}

{{- define "kira-users.podMetadata" -}}
labels:
  {{- include "kira-users.componentLabels" . | nindent 2 }}
  {{- if has .component (list "api" "worker") }}
  # What the scraping of metrics looks for.
  kira-users/admin: "true"
  {{- end }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  kubectl.kubernetes.io/default-container: kira-users
  {{- include "kira-users.configAnnotation" .root | nindent 2 }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The file of the pod's own configuration: an annotation of the pod that is mounted, so that it is the template's own too. */}}
{{- define "kira-users.configAnnotation" -}}
{{- if .Values.products -}}
kira-users/config: {{ include "kira-users.toml" . | trim | quote }}
{{- end -}}
{{- end -}}

{{/* What every pod has, for the restricted Pod Security Standard. */}}
{{- define "kira-users.podBase" -}}
serviceAccountName: {{ include "kira-users.serviceAccountName" . }}
automountServiceAccountToken: false
# The variables that would come would be noise: nothing looks services up by them.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.runAsUser }}
  runAsGroup: {{ .Values.runAsUser }}
  fsGroup: {{ .Values.runAsUser }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "kira-users.containerBase" -}}
image: {{ include "kira-users.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/*
The environment of a container that runs the program; takes a dict with `root`, and `own`, the YAML of variables that are
this container's alone. Secrets are files, named in the settings.
*/}}
{{- define "kira-users.environment" -}}
{{- with .root.Values.extraEnvFrom -}}
envFrom:
  {{- toYaml . | nindent 2 }}
{{ end -}}
env:
  {{- include "kira-users.settingsEnv" .root | trim | nindent 2 }}
  {{- with .own }}
  {{- trim . | nindent 2 }}
  {{- end }}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "kira-users.volumeMounts" -}}
{{- $v := .root.Values -}}
- {name: tmp, mountPath: /tmp}
{{- if include "kira-users.secretSources" .root }}
- {name: secrets, mountPath: /etc/kira/secrets, readOnly: true}
{{- end }}
{{- if $v.products }}
- {name: config, mountPath: /etc/kira/config, readOnly: true}
{{- end }}
{{- if $v.database.ca.name }}
- {name: database-ca, mountPath: /etc/kira/database-ca, readOnly: true}
{{- end }}
{{- if eq $v.mode "sqlite" }}
- {name: data, mountPath: /var/lib/kira}
{{- else if $v.documents.persistence.enabled }}
- {name: documents, mountPath: /var/lib/kira/documents}
{{- end }}
{{- if eq .component "api" }}
{{- range $door, $tls := $v.tls }}
{{- if $tls.secretName }}
- {name: tls-{{ $door }}, mountPath: /etc/kira/tls/{{ $door }}, readOnly: true}
{{- if $tls.clientCA.secretName }}
- {name: tls-{{ $door }}-client-ca, mountPath: /etc/kira/tls/{{ $door }}-client-ca, readOnly: true}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with $v.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The Secrets of every pod. Those of the clients are for who makes them alone. */}}
{{- define "kira-users.secretSources" -}}
{{- range $file, $secret := omit (include "kira-users.secrets" . | fromYaml) "clients.json" }}
- secret:
    name: {{ $secret.name }}
    items: [{key: {{ $secret.key | quote }}, path: {{ $file }}}]
{{- end }}
{{- end -}}

{{/* Whether the pods of this component make the clients of the Secret: the Job, or where there is none, the one pod. */}}
{{- define "kira-users.importsClients" -}}
{{- $who := ternary "api" "migration" (eq .root.Values.mode "sqlite") -}}
{{- if and (eq .component $who) (hasKey (include "kira-users.secrets" .root | fromYaml) "clients.json") -}}true{{- end -}}
{{- end -}}

{{/* The container that makes them; those that are there already it leaves as they are. */}}
{{- define "kira-users.clientsContainer" -}}
name: clients
{{ include "kira-users.containerBase" .root }}
args: [client, import, --file, /etc/kira/clients/clients.json]
{{ include "kira-users.environment" (dict "root" .root) }}
resources:
  {{- toYaml .root.Values.migration.resources | nindent 2 }}
volumeMounts:
  {{- include "kira-users.volumeMounts" . | nindent 2 }}
  - {name: clients, mountPath: /etc/kira/clients, readOnly: true}
{{- end -}}

{{- define "kira-users.volumes" -}}
{{- $v := .root.Values -}}
- name: tmp
  emptyDir: {sizeLimit: {{ $v.tmpSizeLimit }}}
{{- with include "kira-users.secretSources" .root }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- . | trim | nindent 6 }}
{{- end }}
{{- if include "kira-users.importsClients" . }}
{{- $clients := get (include "kira-users.secrets" .root | fromYaml) "clients.json" }}
- name: clients
  secret: {secretName: {{ $clients.name }}, defaultMode: 0440, items: [{key: {{ $clients.key | quote }}, path: clients.json}]}
{{- end }}
{{- if $v.products }}
- name: config
  downwardAPI:
    items: [{path: config.toml, fieldRef: {fieldPath: "metadata.annotations['kira-users/config']"}}]
{{- end }}
{{- with $v.database.ca }}
{{- if .name }}
- name: database-ca
  {{- if eq .kind "ConfigMap" }}
  configMap: {name: {{ .name }}, items: [{key: {{ .key | quote }}, path: ca.crt}]}
  {{- else }}
  secret: {secretName: {{ .name }}, defaultMode: 0440, items: [{key: {{ .key | quote }}, path: ca.crt}]}
  {{- end }}
{{- end }}
{{- end }}
{{- if eq $v.mode "sqlite" }}
- name: data
  {{- if $v.sqlite.persistence.enabled }}
  persistentVolumeClaim: {claimName: {{ include "kira-users.sqliteClaim" .root }}}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- else if $v.documents.persistence.enabled }}
- name: documents
  persistentVolumeClaim: {claimName: {{ include "kira-users.documentsClaim" .root }}}
{{- end }}
{{- if eq .component "api" }}
{{- /* Whole folders, not single files: only so does a renewed certificate arrive in a running pod. */}}
{{- range $door, $tls := $v.tls }}
{{- if $tls.secretName }}
- name: tls-{{ $door }}
  secret: {secretName: {{ $tls.secretName }}, defaultMode: 0440, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}
{{- if $tls.clientCA.secretName }}
- name: tls-{{ $door }}-client-ca
  secret: {secretName: {{ $tls.clientCA.secretName }}, defaultMode: 0440, items: [{key: {{ $tls.clientCA.key | quote }}, path: ca.crt}]}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with $v.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The probes. Startup has its own, so that waiting for the schema is no reason to start a pod again soon. */}}
{{- define "kira-users.probes" -}}
startupProbe:
  httpGet: {path: /startupz, port: admin}
  {{- toYaml .Values.probes.startup | nindent 2 }}
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  {{- toYaml .Values.probes.liveness | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  {{- toYaml .Values.probes.readiness | nindent 2 }}
{{- end -}}

{{/* Where the pods of a component go. */}}
{{- define "kira-users.placement" -}}
{{- $selector := include "kira-users.selector" . -}}
{{- $affinity := .values.affinity -}}
{{- if $affinity }}
affinity:
  {{- toYaml $affinity | nindent 2 }}
{{- else if and (ne .values.podAntiAffinity "none") (eq .root.Values.mode "postgres") }}
affinity:
  podAntiAffinity:
    {{- if eq .values.podAntiAffinity "hard" }}
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- $selector | nindent 12 }}
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- $selector | nindent 14 }}
    {{- end }}
{{- end }}
{{- if and .values.topologySpreadConstraints (eq .root.Values.mode "postgres") }}
topologySpreadConstraints:
  {{- range .values.topologySpreadConstraints }}
  - {{ toYaml (merge (dict "labelSelector" (dict "matchLabels" ($selector | fromYaml)) "matchLabelKeys" (list "pod-template-hash")) .) | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
