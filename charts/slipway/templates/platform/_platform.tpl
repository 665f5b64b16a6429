{{/*
The operator's platform settings: what its Jobs and RayServices look like. Parsed strictly by
slipway_operator.platforms.kubernetes.settings.PlatformConfig, so a name that differs stops it.
*/}}
{{- define "slipway.platform" -}}
release: {{ .Release.Name }}
anchor: {{ include "slipway.name" (dict "root" . "part" "platform") }}
clusterDomain: {{ .Values.clusterDomain }}
cpuOvercommit: {{ .Values.cpuOvercommit }}
images:
  engine: {{ include "slipway.image" (dict "root" . "image" "engine") | quote }}
  training: {{ include "slipway.image" (dict "root" . "image" "training") | quote }}
  pullPolicy: {{ .Values.images.pullPolicy }}
  pullSecrets: {{ .Values.images.pullSecrets | toJson }}
artifacts:
  claim: {{ include "slipway.artifactsClaim" . }}
  mountPath: {{ .Values.artifacts.mountPath }}
  {{- with .Values.artifacts.s3 }}
  s3:
    uri: {{ .uri | quote }}
    endpoint: {{ .endpoint | quote }}
    region: {{ .region | quote }}
    secret: {{ .existingSecret | quote }}
    accessKeyKey: {{ .accessKeyKey | quote }}
    secretKeyKey: {{ .secretKeyKey | quote }}
    caSecret: {{ .caSecret | quote }}
    caKey: {{ .caKey | quote }}
    cacheLimit: {{ .cacheLimit | quote }}
  {{- end }}
runs:
  serviceAccount: {{ include "slipway.name" (dict "root" . "part" "run") }}
  threads: {{ .Values.runs.threads }}
  cpu: {{ .Values.runs.cpu | quote }}
  memory: {{ .Values.runs.memory | quote }}
  gracePeriodSeconds: {{ .Values.runs.gracePeriodSeconds }}
  priorityClass: {{ .Values.runs.priorityClass | quote }}
  nodeSelector: {{ .Values.runs.nodeSelector | toJson }}
  tolerations: {{ .Values.runs.tolerations | toJson }}
  env: {{ include "slipway.runEnv" . }}
engines:
  serviceAccount: {{ include "slipway.name" (dict "root" . "part" "engine") }}
  rayVersion: {{ .Values.engines.rayVersion | quote }}
  head:
    cpu: {{ .Values.engines.head.cpu | quote }}
    memory: {{ .Values.engines.head.memory | quote }}
  shmSize: {{ .Values.engines.shmSize | quote }}
  objectStoreBytes: {{ int64 .Values.engines.objectStoreBytes }}
  priorityClass: {{ .Values.engines.priorityClass | quote }}
  env: {{ include "slipway.engineEnv" . }}
{{- end }}

{{/* The runs' environment, as JSON: the user's, and the hub's token by reference. */}}
{{- define "slipway.runEnv" -}}
{{- $env := .Values.runs.env -}}
{{- with .Values.runs.huggingFace.existingSecret -}}
{{- $reference := dict "name" . "key" $.Values.runs.huggingFace.key -}}
{{- $env = append $env (dict "name" "HF_TOKEN" "valueFrom" (dict "secretKeyRef" $reference)) -}}
{{- end -}}
{{- $env | toJson -}}
{{- end }}
