{{/* The gateway's pod template, for the Deployment and for the StatefulSet. */}}
{{- define "slipway.gatewayPod" -}}
{{- $gateway := .Values.gateway -}}
metadata:
  labels:
    {{- include "slipway.podLabels" (dict "root" . "component" "gateway" "more" $gateway.podLabels) | nindent 4 }}
  {{- with $gateway.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "slipway.podSpec" (dict "root" . "pod" $gateway) | nindent 2 }}
  serviceAccountName: {{ include "slipway.name" (dict "root" . "part" "gateway") }}
  automountServiceAccountToken: false
  # SIGTERM: not ready but still accepting, then open streams, then the log's last batch (30 s: PostgreSQL may be restarting).
  terminationGracePeriodSeconds: {{ add $gateway.drainSeconds $gateway.streamGraceSeconds 40 }}
  {{- if $gateway.topologySpread.enabled }}
  topologySpreadConstraints:
    {{- include "slipway.topologySpread" (dict "root" . "component" "gateway") | nindent 4 }}
  {{- end }}
  containers:
    - name: gateway
      {{- include "slipway.containerImage" (dict "root" . "image" "gateway") | nindent 6 }}
      command: [python, -m, slipway_gateway]
      env:
        {{- include "slipway.gatewayEnv" . | nindent 8 }}
      ports:
        - name: http
          containerPort: 8000
      startupProbe:
        httpGet:
          path: /health
          port: http
        periodSeconds: 1
        failureThreshold: 180
      livenessProbe:
        httpGet:
          path: /health
          port: http
        periodSeconds: 10
        timeoutSeconds: 5
        # A restart cuts streams: not for a node that is merely busy.
        failureThreshold: 6
      readinessProbe:
        httpGet:
          path: /ready
          port: http
        periodSeconds: 2
        timeoutSeconds: 2
        # A pod that ends leaves the Service at once, whatever this says.
        failureThreshold: 3
      resources:
        {{- toYaml $gateway.resources | nindent 8 }}
      {{- include "slipway.containerSecurity" . | nindent 6 }}
      volumeMounts:
        - name: state
          mountPath: /var/lib/slipway-gateway
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: tmp
      emptyDir: {}
    {{- if not $gateway.walVolume.enabled }}
    - name: state
      emptyDir:
        sizeLimit: {{ $gateway.stateLimit }}
    {{- end }}
{{- end }}

{{/* Its environment: what the chart decides, then the user's settings. */}}
{{- define "slipway.gatewayEnv" -}}
{{- $gateway := .Values.gateway -}}
- name: SLIPWAY_GATEWAY_HOST
  value: 0.0.0.0
- name: SLIPWAY_GATEWAY_PORT
  value: "8000"
- name: SLIPWAY_GATEWAY_SLOT
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: SLIPWAY_GATEWAY_STATE_DIR
  value: /var/lib/slipway-gateway
- name: SLIPWAY_GATEWAY_KEYLESS_LOOPBACK
  value: "false"
- name: SLIPWAY_GATEWAY_DRAIN_DELAY
  value: {{ $gateway.drainSeconds | quote }}
- name: SLIPWAY_GATEWAY_SHUTDOWN_GRACE
  value: {{ $gateway.streamGraceSeconds | quote }}
- name: SLIPWAY_GATEWAY_FLUSH_TIMEOUT
  value: "30"
{{ include "slipway.secretEnv" (dict "name" "SLIPWAY_GATEWAY_DSN" "secret" (include "slipway.databaseSecret" .) "key" (include "slipway.databaseKey" .)) }}
{{- if $gateway.firstKey.enabled }}
{{ include "slipway.secretEnv" (dict "name" "SLIPWAY_GATEWAY_FIRST_KEY" "secret" (include "slipway.firstKeySecret" .) "key" (include "slipway.firstKeyKey" .)) }}
{{- end }}
{{- range $part, $name := dict "keyPepper" "KEY_PEPPER" "firstAdminKey" "FIRST_ADMIN_KEY" "logHashKey" "LOG_HASH_KEY" }}
{{- with index $gateway.secrets $part }}
{{- if .existingSecret }}
{{ include "slipway.secretEnv" (dict "name" (printf "SLIPWAY_GATEWAY_%s" $name) "secret" .existingSecret "key" .key) }}
{{- end }}
{{- end }}
{{- end }}
{{- with $gateway.jwt }}
{{- if .jwksUrl }}
- name: SLIPWAY_GATEWAY_JWT_JWKS_URL
  value: {{ .jwksUrl | quote }}
- name: SLIPWAY_GATEWAY_JWT_ISSUER
  value: {{ .issuer | quote }}
- name: SLIPWAY_GATEWAY_JWT_AUDIENCE
  value: {{ .audience | quote }}
{{- end }}
{{- end }}
{{- range $name, $value := $gateway.settings }}
- name: SLIPWAY_GATEWAY_{{ upper $name }}
  value: {{ kindIs "float64" $value | ternary (printf "%v" $value | float64 | toJson) (toString $value) | quote }}
{{- end }}
- name: HOME
  value: /tmp
{{- with include "slipway.traceEnv" . }}
{{ . }}
{{- end }}
{{- with $gateway.env }}
{{ toYaml . }}
{{- end }}
{{- end }}
