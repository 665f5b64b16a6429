{{/*
What the schema cannot say because two values are concerned. Included once, by the platform's
ConfigMap; a message names the values and what to do.
*/}}
{{- define "slipway.checks" -}}
{{- if gt (len .Release.Name) 40 -}}
{{- fail (printf "the release's name has %d characters; at most 40, so that the names of its pods fit into labels" (len .Release.Name)) -}}
{{- end -}}
{{- $gateway := .Values.gateway -}}
{{- if and $gateway.autoscaling.enabled (gt (int $gateway.autoscaling.minReplicas) (int $gateway.autoscaling.maxReplicas)) -}}
{{- fail (printf "gateway.autoscaling.maxReplicas is %v, below minReplicas %v; raise it" $gateway.autoscaling.maxReplicas $gateway.autoscaling.minReplicas) -}}
{{- end -}}
{{- if and $gateway.ingress.enabled (not $gateway.ingress.hosts) -}}
{{- fail "gateway.ingress.hosts is empty; name the hosts that the Ingress answers" -}}
{{- end -}}
{{- if and $gateway.httpRoute.enabled (not $gateway.httpRoute.parentRefs) -}}
{{- fail "gateway.httpRoute.parentRefs is empty; name the Gateway that the route hangs on, such as [{name: public}]" -}}
{{- end -}}
{{- $s3 := .Values.artifacts.s3 -}}
{{- if and (or $s3.uri $s3.endpoint) (not $s3.existingSecret) -}}
{{- fail "artifacts.s3.existingSecret is empty; name the Secret with the keys of the object store that uri or endpoint names" -}}
{{- end -}}
{{- if and $s3.caSecret (hasPrefix "http://" $s3.endpoint) -}}
{{- fail (printf "artifacts.s3.caSecret is for https, and artifacts.s3.endpoint is %s; leave one of them out, or write https" $s3.endpoint) -}}
{{- end -}}
{{- if and $s3.caSecret (not $s3.existingSecret) -}}
{{- fail "artifacts.s3.caSecret is set without artifacts.s3.existingSecret; there is no store whose certificate it could check" -}}
{{- end -}}
{{- if and $s3.existingSecret .Values.networkPolicy.enabled (not .Values.networkPolicy.objectStore.to) -}}
{{- fail "networkPolicy.objectStore.to is empty, so nothing could reach the store of artifacts.s3; name its pods or addresses, such as [{ipBlock: {cidr: 10.1.2.3/32}}]" -}}
{{- end -}}
{{- if and .Values.telemetry.traces.endpoint .Values.networkPolicy.enabled (not .Values.networkPolicy.traces.to) -}}
{{- fail "networkPolicy.traces.to is empty, so no span could reach telemetry.traces.endpoint; name the collector's pods or addresses, such as [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]" -}}
{{- end -}}
{{- $jwt := .Values.gateway.jwt -}}
{{- if and $jwt.jwksUrl (not (and $jwt.issuer $jwt.audience)) -}}
{{- fail "gateway.jwt.jwksUrl needs gateway.jwt.issuer and gateway.jwt.audience: a token must be of one provider and for this gateway" -}}
{{- end -}}
{{- if and $jwt.jwksUrl .Values.networkPolicy.enabled (not .Values.networkPolicy.identityProvider.to) -}}
{{- fail "networkPolicy.identityProvider.to is empty, so the gateway could not fetch the keys of gateway.jwt.jwksUrl; name the provider's addresses or pods, such as [{ipBlock: {cidr: 203.0.113.7/32}}]" -}}
{{- end -}}
{{- $versions := dict -}}
{{- range $model, $given := .Values.models -}}
{{- range $version, $body := $given.versions -}}
{{- if hasKey $versions $version -}}
{{- fail (printf "models.%s.versions.%s: models.%s has a version of that name; names of ModelVersions are unique in a namespace" $model $version (index $versions $version)) -}}
{{- end -}}
{{- $_ := set $versions $version $model -}}
{{- if ne $model (dig "spec" "model" $model $body) -}}
{{- fail (printf "models.%s.versions.%s.spec.model is %s; leave it out or write %s" $model $version $body.spec.model $model) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
