{{/*
Labels: `slipway.labels` on every object, `slipway.selector` where pods are chosen. NetworkPolicies
choose by part-of alone, which the operator sets on the pods of its Jobs and RayServices, too.
*/}}

{{/* (dict "root" $ "component" "gateway") */}}
{{- define "slipway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "slipway.selector" . }}
app.kubernetes.io/part-of: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* What never changes in a pod's life; selectors are immutable. */}}
{{- define "slipway.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of a pod: (dict "root" $ "component" "gateway" "more" .Values.gateway.podLabels) */}}
{{- define "slipway.podLabels" -}}
{{ include "slipway.selector" . }}
app.kubernetes.io/part-of: {{ .root.Release.Name }}
{{- with .more }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* (dict "root" $ "part" "gateway" "component" "gateway"): name, namespace and labels of an object. */}}
{{- define "slipway.metadata" -}}
name: {{ include "slipway.name" . }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "slipway.labels" . | nindent 2 }}
{{- end }}

{{/* (dict "root" $ "component" "backend"): pods that the operator makes. */}}
{{- define "slipway.childSelector" -}}
app.kubernetes.io/part-of: {{ .root.Release.Name }}
slipway.dev/component: {{ .component }}
{{- end }}
