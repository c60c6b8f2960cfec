{{/*
The objects of this release in the cluster. `helm template`, and tools that use it, read no cluster: all of these are empty
there.
*/}}

{{/* The Deployment of a component; an empty dict without one. Takes a dict with `root` and `component`; gives YAML. */}}
{{- define "kira-users.liveDeployment" -}}
{{- $name := printf "%s-%s" (include "kira-users.fullname" .root) .component -}}
{{- lookup "apps/v1" "Deployment" .root.Release.Namespace $name | default dict | toYaml -}}
{{- end -}}

{{/*
`replicas` of a Deployment that an autoscaler scales; takes a dict with `root` and `component`. Helm removes a field that
the revision before had, and Kubernetes then sets one pod. So if the Deployment had a fixed number when its autoscaler was
turned on, later revisions repeat the current number.
*/}}
{{- define "kira-users.keptReplicas" -}}
{{- $live := include "kira-users.liveDeployment" . | fromYaml -}}
{{- if $live -}}
{{- $name := $live.metadata.name -}}
{{- $scaler := lookup "autoscaling/v1" "HorizontalPodAutoscaler" .root.Release.Namespace $name -}}
{{- if or (not $scaler) (hasKey (default dict $live.metadata.annotations) "kira-users/replicas") -}}
{{- $live.spec.replicas -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The volume claims that revisions of this release have created, as a YAML map from name to the claim. Those of other releases,
and of another copy of this chart in the same release, are not among them.
*/}}
{{- define "kira-users.liveClaims" -}}
{{- $claims := dict -}}
{{- $found := lookup "v1" "PersistentVolumeClaim" .Release.Namespace "" | default dict -}}
{{- range $claim := $found.items -}}
{{- $labels := default dict $claim.metadata.labels -}}
{{- $annotations := default dict $claim.metadata.annotations -}}
{{- $chart := regexReplaceAll "-[0-9].*$" (get $labels "helm.sh/chart" | toString) "" -}}
{{- if and (eq $chart $.Chart.Name)
    (eq (get $annotations "meta.helm.sh/release-name" | toString) $.Release.Name)
    (eq (get $annotations "meta.helm.sh/release-namespace" | toString) $.Release.Namespace) -}}
{{- $_ := set $claims $claim.metadata.name $claim -}}
{{- end -}}
{{- end -}}
{{- toYaml $claims -}}
{{- end -}}

{{/* The claims that the pods of this revision mount, as a YAML map from name to what is on it. */}}
{{- define "kira-users.mountedClaims" -}}
{{- $mounted := dict -}}
{{- if and (eq .Values.mode "sqlite") .Values.sqlite.persistence.enabled -}}
{{- $_ := set $mounted (include "kira-users.sqliteClaim" .) "data" -}}
{{- end -}}
{{- if and (eq .Values.mode "postgres") .Values.documents.persistence.enabled -}}
{{- $_ := set $mounted (include "kira-users.documentsClaim" .) "documents" -}}
{{- end -}}
{{- toYaml $mounted -}}
{{- end -}}

{{/* The claims of the release that this revision does not mount, as a YAML list. */}}
{{- define "kira-users.unusedClaims" -}}
{{- $mounted := include "kira-users.mountedClaims" . | fromYaml -}}
{{- $unused := list -}}
{{- range $name, $claim := include "kira-users.liveClaims" . | fromYaml -}}
{{- if not (hasKey $mounted $name) -}}{{- $unused = append $unused $name -}}{{- end -}}
{{- end -}}
{{- toYaml $unused -}}
{{- end -}}

{{/* `true` where the API's pods that run use a PostgreSQL server. */}}
{{- define "kira-users.livePostgres" -}}
{{- $live := include "kira-users.liveDeployment" (dict "root" . "component" "api") | fromYaml -}}
{{- if $live -}}
{{- range $container := $live.spec.template.spec.containers -}}
{{- range $variable := $container.env -}}
{{- if eq $variable.name "KIRA_DATABASE_URL_FILE" -}}true{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
