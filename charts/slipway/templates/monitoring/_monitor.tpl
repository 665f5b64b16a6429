{{/* Parts that all monitors share. */}}

{{/* (dict "root" $ "part" "gateway" "component" "gateway"): as slipway.metadata, with the labels by which Prometheus chooses. */}}
{{- define "slipway.monitored" -}}
{{ include "slipway.metadata" . }}
{{- with .root.Values.monitoring.labels }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (dict "root" $ "port" "http" "job" "slipway-gateway"): one endpoint. Jobs are called as in local mode, whatever the release is called, so that rules and dashboards serve both. */}}
{{- define "slipway.endpoint" -}}
- port: {{ .port }}
  path: /metrics
  interval: {{ .root.Values.monitoring.interval }}
  relabelings:
    - targetLabel: job
      replacement: {{ .job }}
{{- end }}
