{{/*
A pod of the program. It takes a dict: `root`; `component`; `values`, the part of the values that is about this
component; `container`, the YAML of the container's own part.
*/}}

{{- define "kira-users.podMetadata" -}}
labels:
  {{- include "kira-users.componentLabels" . | nindent 2 }}
  {{- if has .component (list "api" "worker") }}
  # The label that the scrapers of metrics select.
  kira-users/admin: "true"
  {{- end }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  kubectl.kubernetes.io/default-container: kira-users
  {{- include "kira-users.configAnnotation" .root | nindent 2 }}
  {{- if include "kira-users.importsClients" . }}
  {{- include "kira-users.clientsAnnotation" .root | nindent 2 }}
  {{- end }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The configuration file: an annotation of the pod, mounted as a file, so that it is part of the pod's template. */}}
{{- define "kira-users.configAnnotation" -}}
{{- if .Values.products -}}
kira-users/config: {{ include "kira-users.toml" . | trim | quote }}
{{- end -}}
{{- end -}}

{{/* The fields of every pod, for the restricted Pod Security Standard. */}}
{{- define "kira-users.podBase" -}}
serviceAccountName: {{ include "kira-users.serviceAccountName" . }}
automountServiceAccountToken: false
# The program does not use the variables.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- $standard := dict "runAsNonRoot" true "runAsUser" .Values.runAsUser "runAsGroup" .Values.runAsUser "fsGroup" .Values.runAsUser
      "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") }}
  {{- include "kira-users.overridden" (dict "standard" $standard "override" .Values.podSecurityContext) | nindent 2 }}
{{- end -}}

{{/* Fields of `standard`, those of `override` in their place; an override of null removes its field. */}}
{{- define "kira-users.overridden" -}}
{{- $fields := .standard -}}
{{- range $name, $value := .override -}}
{{- if kindIs "invalid" $value -}}
{{- $fields = omit $fields $name -}}
{{- else -}}
{{- $_ := set $fields $name $value -}}
{{- end -}}
{{- end -}}
{{- toYaml $fields -}}
{{- end -}}

{{- define "kira-users.containerBase" -}}
image: {{ include "kira-users.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- $standard := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) }}
  {{- include "kira-users.overridden" (dict "standard" $standard "override" .Values.securityContext) | nindent 2 }}
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
{{- range $protocol, $tls := $v.tls }}
{{- if $tls.secretName }}
- {name: tls-{{ $protocol }}, mountPath: /etc/kira/tls/{{ $protocol }}, readOnly: true}
{{- if $tls.clientCA.secretName }}
- {name: tls-{{ $protocol }}-client-ca, mountPath: /etc/kira/tls/{{ $protocol }}-client-ca, readOnly: true}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- with $v.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The Secrets of every pod. Only the pods that import the clients have the Secret of the clients. */}}
{{- define "kira-users.secretSources" -}}
{{- range $file, $secret := omit (include "kira-users.secrets" . | fromYaml) "clients.json" }}
- secret:
    name: {{ $secret.name }}
    items: [{key: {{ $secret.key | quote }}, path: {{ $file }}}]
{{- end }}
{{- end -}}

{{/* `true` where the pods of this component make the clients of the Secret. */}}
{{- define "kira-users.importsClients" -}}
{{- if and (eq .component "api") (hasKey (include "kira-users.secrets" .root | fromYaml) "clients.json") -}}true{{- end -}}
{{- end -}}

{{/*
The version of the clients' Secret, so that `helm upgrade` starts the pods again after a change of it. Without a cluster to
ask, as in `helm template`, it is left out.
*/}}
{{- define "kira-users.clientsAnnotation" -}}
{{- $clients := get (include "kira-users.secrets" . | fromYaml) "clients.json" -}}
{{- with lookup "v1" "Secret" .Release.Namespace $clients.name -}}
kira-users/clients-version: {{ .metadata.resourceVersion | quote }}
{{- end -}}
{{- end -}}

{{/* `true` where the pods of this component bring the schema up to date. SQLite's one pod does so when it opens the file. */}}
{{- define "kira-users.migrates" -}}
{{- if and (eq .component "api") (eq .root.Values.mode "postgres") .root.Values.migration.enabled -}}true{{- end -}}
{{- end -}}

{{/*
The init containers of a pod, in order; takes the dict of the pod. The schema is migrated by each API pod rather than by a
Job: a Job is an object of one revision, which `helm rollback` stumbles over, which outlives a failed release, and which
as a hook runs before the objects it needs or, under --wait, never. Processes that migrate at the same time do so one after
the other, and a version that is older than the schema changes nothing.
*/}}
{{- define "kira-users.initContainers" -}}
{{- $v := .root.Values -}}
{{- if or (include "kira-users.migrates" .) (include "kira-users.importsClients" .) $v.extraInitContainers }}
initContainers:
  {{- with $v.extraInitContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if include "kira-users.migrates" . }}
  - name: migrate
    {{- include "kira-users.containerBase" .root | nindent 4 }}
    args: [migrate, --wait, {{ $v.migration.waitSeconds }}s]
    {{- include "kira-users.environment" (dict "root" .root) | nindent 4 }}
    resources:
      {{- toYaml $v.migration.resources | nindent 6 }}
    volumeMounts:
      {{- include "kira-users.volumeMounts" . | nindent 6 }}
  {{- end }}
  {{- if include "kira-users.importsClients" . }}
  - name: clients
    {{- include "kira-users.containerBase" .root | nindent 4 }}
    args: [client, import, --file, /etc/kira/clients/clients.json]
    {{- include "kira-users.environment" (dict "root" .root) | nindent 4 }}
    resources:
      {{- toYaml $v.migration.resources | nindent 6 }}
    volumeMounts:
      {{- include "kira-users.volumeMounts" . | nindent 6 }}
      - {name: clients, mountPath: /etc/kira/clients, readOnly: true}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Annotations of a Deployment; takes the dict of the pod. */}}
{{- define "kira-users.deploymentAnnotations" -}}
{{- if or .root.Values.deploymentAnnotations .kept }}
annotations:
  {{- if .kept }}
  # The number of pods that ran is repeated since the autoscaler was turned on.
  kira-users/replicas: kept
  {{- end }}
  {{- with .root.Values.deploymentAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* How long a rollout may make no progress: the wait for the database, and the start. */}}
{{- define "kira-users.progressDeadline" -}}
{{- $startup := mul .Values.probes.startup.periodSeconds .Values.probes.startup.failureThreshold -}}
{{- add 60 $startup (ternary .Values.migration.waitSeconds 0 (eq .Values.mode "postgres")) -}}
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
{{- range $protocol, $tls := $v.tls }}
{{- if $tls.secretName }}
- name: tls-{{ $protocol }}
  secret: {secretName: {{ $tls.secretName }}, defaultMode: 0440, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}
{{- if $tls.clientCA.secretName }}
- name: tls-{{ $protocol }}-client-ca
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

{{/* The nodes that pods of a component may run on, without the rules that keep them apart. */}}
{{- define "kira-users.nodes" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* The nodes for the pods of a component, and how they are spread. */}}
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
{{- include "kira-users.nodes" .values }}
{{- end -}}
