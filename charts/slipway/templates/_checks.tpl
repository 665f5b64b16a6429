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
