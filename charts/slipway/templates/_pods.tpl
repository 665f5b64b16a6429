{{/*
What every pod of the chart has in common: the restricted Pod Security Standard, a read-only root,
no Service environment (a Service called RELEASE-gateway would set SLIPWAY_GATEWAY_PORT).
*/}}

{{/* (dict "root" $ "pod" .Values.gateway): the head of a pod's spec. */}}
{{- define "slipway.podSpec" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .root.Values.podSecurity.user }}
  runAsGroup: {{ .root.Values.podSecurity.group }}
  fsGroup: {{ .root.Values.podSecurity.group }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A container's securityContext. */}}
{{- define "slipway.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* (dict "root" $ "image" "gateway") */}}
{{- define "slipway.containerImage" -}}
image: {{ include "slipway.image" . | quote }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
{{- end }}

{{/* One variable from a Secret: (dict "name" "X" "secret" "s" "key" "k") */}}
{{- define "slipway.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}

{{/* (dict "root" $ "component" "gateway") */}}
{{- define "slipway.topologySpread" -}}
{{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: {{ $.root.Values.gateway.topologySpread.whenUnsatisfiable }}
  labelSelector:
    matchLabels:
      {{- include "slipway.selector" $ | nindent 6 }}
{{- end }}
{{- end }}
