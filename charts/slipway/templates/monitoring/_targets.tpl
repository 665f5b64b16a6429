{{/*
The SLOs' targets as recorded series: what files/rules/targets.yaml is on a laptop, from values.
*/}}

{{/* The general ones, then those of Models that have their own. */}}
{{- define "slipway.sloTargets" -}}
{{- $slos := .Values.monitoring.slos -}}
groups:
  - name: slipway-slo-targets
    rules:
      {{- include "slipway.sloTarget" (dict "slo" "availability" "target" $slos.availability.target) | nindent 6 }}
      {{- include "slipway.sloTarget" (dict "slo" "ttft" "target" $slos.ttft.target "seconds" $slos.ttft.seconds) | nindent 6 }}
      {{- range $model, $own := $slos.models }}
      {{- with $own.availability }}
      {{- include "slipway.sloTarget" (dict "slo" "availability" "target" .target "model" $model) | nindent 6 }}
      {{- end }}
      {{- with $own.ttft }}
      {{- include "slipway.sloTarget" (dict "slo" "ttft" "target" (.target | default $slos.ttft.target) "seconds" (.seconds | default $slos.ttft.seconds) "model" $model) | nindent 6 }}
      {{- end }}
      {{- end }}
{{- end }}

{{/* (dict "slo" "ttft" "target" 0.95 "seconds" 2.5 "model" "chat"): one of them. Buckets are spelled with a point. */}}
{{- define "slipway.sloTarget" -}}
- record: slipway:slo_target:ratio
  expr: vector({{ .target }})
  labels:
    slo: {{ .slo }}
    {{- with .seconds }}
    le: {{ ternary (toString .) (printf "%v.0" .) (contains "." (toString .)) | quote }}
    {{- end }}
    {{- with .model }}
    model: {{ . | quote }}
    {{- end }}
{{- end }}
