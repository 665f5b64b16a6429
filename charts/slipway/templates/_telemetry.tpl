{{/* OpenTelemetry's own settings: what a process needs to deliver traces. Empty where there is no collector. */}}
{{- define "slipway.traceEnv" -}}
{{- $traces := .Values.telemetry.traces -}}
{{- if $traces.endpoint -}}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ $traces.endpoint | quote }}
{{ include "slipway.traceSampling" . }}
- name: SLIPWAY_POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: OTEL_RESOURCE_ATTRIBUTES
  value: "k8s.namespace.name={{ .Release.Namespace }},k8s.pod.name=$(SLIPWAY_POD_NAME),service.instance.id=$(SLIPWAY_POD_NAME)"
{{- end -}}
{{- end }}

{{/* What is kept, and how the collector is entered: the same for processes and engines. */}}
{{- define "slipway.traceSampling" -}}
{{- $traces := .Values.telemetry.traces -}}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ $traces.ratio | quote }}
{{- with $traces.existingSecret }}
{{ include "slipway.secretEnv" (dict "name" "OTEL_EXPORTER_OTLP_HEADERS" "secret" . "key" $traces.key) }}
{{- end }}
{{- end }}

{{/* The engines' environment, as JSON: vLLM's tracing where it is wanted, then the user's. */}}
{{- define "slipway.engineEnv" -}}
{{- $traces := .Values.telemetry.traces -}}
{{- $env := list -}}
{{- if and $traces.endpoint $traces.engines -}}
{{- $env = include "slipway.traceSampling" . | fromYamlArray -}}
{{- $env = append $env (dict "name" "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" "value" (printf "%s/v1/traces" (trimSuffix "/" $traces.endpoint))) -}}
{{- $env = append $env (dict "name" "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL" "value" "http/protobuf") -}}
{{- $env = append $env (dict "name" "OTEL_SERVICE_NAME" "value" "slipway-engine") -}}
{{- end -}}
{{- concat $env .Values.engines.env | default list | toJson -}}
{{- end }}
