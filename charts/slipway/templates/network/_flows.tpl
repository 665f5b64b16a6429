{{/* Parts of NetworkPolicies that several have. */}}

{{/* Egress to PostgreSQL, wherever it is. */}}
{{- define "slipway.toDatabase" -}}
{{- if include "slipway.trialDatabase" . -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "slipway.selector" (dict "root" . "component" "postgres") | nindent 10 }}
  ports:
    - {protocol: TCP, port: 5432}
{{- else -}}
- to:
    {{- range .Values.networkPolicy.database.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    - {protocol: TCP, port: {{ .Values.networkPolicy.database.port }}}
{{- end -}}
{{- end }}

{{/* Egress to the engines' Serve port. */}}
{{- define "slipway.toEngines" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "slipway.childSelector" (dict "root" . "component" "backend") | nindent 10 }}
  ports:
    - {protocol: TCP, port: 8000}
{{- end }}

{{/* A peer: (dict "root" $ "component" "gateway") */}}
{{- define "slipway.peer" -}}
- podSelector:
    matchLabels:
      {{- include "slipway.selector" . | nindent 6 }}
{{- end }}

{{/* A peer: every pod of a namespace, by its name. */}}
{{- define "slipway.namespacePeer" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
{{- end }}

{{/* Egress to the API server, which is no pod: by address and port. */}}
{{- define "slipway.toApiServer" -}}
- to:
    {{- range .Values.networkPolicy.apiServer.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}

{{/* Egress to the collector of traces. */}}
{{- define "slipway.toCollector" -}}
- to:
    {{- toYaml .Values.networkPolicy.traces.to | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.traces.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end }}
