{{/* What is asked in more than one template. Highly available includes what admission takes, since that is what a second replica is for. */}}
{{- define "image-cloner.labels" -}}
app.kubernetes.io/name: image-cloner
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "image-cloner.admission" -}}
{{- if or .Values.admission.enabled .Values.highAvailability.enabled }}true{{ end }}
{{- end }}

{{- define "image-cloner.replicas" -}}
{{- $wanted := ternary 2 1 .Values.highAvailability.enabled }}
{{- if not (kindIs "invalid" .Values.replicas) }}{{ $wanted = int .Values.replicas }}{{ end }}
{{- if and (gt $wanted 1) (not .Values.highAvailability.enabled) }}
{{- fail "replicas: more than one takes highAvailability.enabled=true; without it two controllers would both write" }}
{{- end }}
{{- $wanted }}
{{- end }}

{{/* What could never listen is refused here; it would be a pod that starts again and again. Other ports of nodes nobody can know. */}}
{{- define "image-cloner.freePorts" -}}
{{- $ports := list (int .Values.httpPort) }}
{{- if eq (include "image-cloner.admission" .) "true" }}{{ $ports = append $ports (int .Values.admission.port) }}{{ end }}
{{- if ne (len $ports) (len (uniq $ports)) }}
{{- fail "admission.port and httpPort are the same: nobody can listen on a port twice" }}
{{- end }}
{{- if and .Values.hostNetwork (has 10250 $ports) }}
{{- fail "hostNetwork: port 10250 of every node is its kubelet's; name another one by admission.port or httpPort" }}
{{- end }}
{{- end }}

{{- define "image-cloner.image" -}}
{{- $repository := required "image.repository is required: where you pushed the image (make image IMAGE=…)" .Values.image.repository }}
{{- $tag := .Values.image.tag | default .Chart.AppVersion }}
{{- $repository }}:{{ $tag }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/*
A setting as the text of its file. Numbers of values are floats where they come from JSON, and large ones would be written as 1e+06;
lists are what people write for commas.
*/}}
{{- define "image-cloner.setting" -}}
{{- if kindIs "float64" . }}{{ . | int64 }}
{{- else if kindIs "slice" . }}{{ join "," . }}
{{- else }}{{ . }}
{{- end }}
{{- end }}

{{/*
A controller that elects no leader writes beside the one that does, until it is replaced: it has to be gone before. Only what asks the
cluster (install and upgrade) knows; `helm template` does not.
*/}}
{{- define "image-cloner.noLoneController" -}}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace "image-cloner-controller" }}
{{- if and $live .Values.highAvailability.enabled (ne (include "image-cloner.replicas" .) "0") }}
{{- $running := add (dig "spec" "replicas" 1 $live | int) (dig "status" "replicas" 0 $live | int) (dig "status" "terminatingReplicas" 0 $live | int) }}
{{- $elects := false }}
{{- range (first $live.spec.template.spec.containers).env }}
{{- if and (eq .name "LEADER_ELECTION") (eq (.value | default "") "true") }}{{ $elects = true }}{{ end }}
{{- end }}
{{- if and (not $elects) (gt $running 0) }}
{{- fail "highAvailability: a controller that elects no leader is running, and would write beside the one that leads. End it first: the same upgrade with --set highAvailability.enabled=false,replicas=0 --wait, then this one" }}
{{- end }}
{{- end }}
{{- end }}
