{{/*
Names: every object is called RELEASE-PART, so that a release is found by its name.
*/}}

{{/* (dict "root" $ "part" "gateway") → slipway-gateway */}}
{{- define "slipway.name" -}}
{{- printf "%s-%s" .root.Release.Name .part | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* The claim of artifacts: the user's own or ours. */}}
{{- define "slipway.artifactsClaim" -}}
{{- .Values.artifacts.existingClaim | default (include "slipway.name" (dict "root" . "part" "artifacts")) -}}
{{- end }}

{{/* The Secret of the database's DSN. */}}
{{- define "slipway.databaseSecret" -}}
{{- .Values.database.external.existingSecret | default (include "slipway.name" (dict "root" . "part" "database")) -}}
{{- end }}

{{/* Its key. */}}
{{- define "slipway.databaseKey" -}}
{{- if .Values.database.external.existingSecret }}{{ .Values.database.external.key }}{{ else }}dsn{{ end -}}
{{- end }}

{{/* The Secret of the first API key. */}}
{{- define "slipway.firstKeySecret" -}}
{{- .Values.gateway.firstKey.existingSecret | default (include "slipway.name" (dict "root" . "part" "first-key")) -}}
{{- end }}

{{/* Its key. */}}
{{- define "slipway.firstKeyKey" -}}
{{- if .Values.gateway.firstKey.existingSecret }}{{ .Values.gateway.firstKey.key }}{{ else }}key{{ end -}}
{{- end }}

{{/* The Secret of the worker's API key. */}}
{{- define "slipway.workerKeySecret" -}}
{{- .Values.worker.key.existingSecret | default (include "slipway.name" (dict "root" . "part" "worker-key")) -}}
{{- end }}

{{/* Its key. */}}
{{- define "slipway.workerKeyKey" -}}
{{- if .Values.worker.key.existingSecret }}{{ .Values.worker.key.key }}{{ else }}key{{ end -}}
{{- end }}

{{/* Whether PostgreSQL for trials is installed: "true" or "". */}}
{{- define "slipway.trialDatabase" -}}
{{- if not .Values.database.external.existingSecret }}true{{ end -}}
{{- end }}

{{/* Gateways at least, with or without autoscaling. */}}
{{- define "slipway.gatewayReplicas" -}}
{{- if .Values.gateway.autoscaling.enabled }}{{ .Values.gateway.autoscaling.minReplicas }}{{ else }}{{ .Values.gateway.replicas }}{{ end -}}
{{- end }}

{{/* (dict "root" $ "image" "gateway") → docker.io/slipway/gateway:0.1.0 */}}
{{- define "slipway.image" -}}
{{- $image := index .root.Values.images .image -}}
{{- $name := printf "%s/%s" .root.Values.images.registry $image.repository -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default .root.Values.images.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{/* Models of the values that answer chats, in order: a,b */}}
{{- define "slipway.chatModels" -}}
{{- $names := list -}}
{{- range $name, $model := .Values.models -}}
{{- if eq "text-generation" (dig "spec" "task" "text-generation" $model) }}{{ $names = append $names $name }}{{ end -}}
{{- end -}}
{{- join "," $names -}}
{{- end }}
