{{/* Scaling behavior for KEDA and for the HPA of this chart; slow, because every change moves partitions. */}}
{{- define "dc.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleUpWindowSeconds }}
  policies:
    - {type: Percent, value: 100, periodSeconds: 60}
    - {type: Pods, value: 2, periodSeconds: 60}
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDownWindowSeconds }}
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end -}}

{{/* Credentials that KEDA needs, as JSON: parameter, Secret, key. */}}
{{- define "dc.kedaParameters" -}}
{{- $parameters := list -}}
{{- with .Values.credentials -}}
{{- if not (has $.Values.autoscaling.keda.authentication.sasl (list "none" "aws_msk_iam")) -}}
{{- $parameters = append $parameters (dict "parameter" "username" "name" .kafkaSasl.existingSecret "key" .kafkaSasl.usernameKey) -}}
{{- $parameters = append $parameters (dict "parameter" "password" "name" .kafkaSasl.existingSecret "key" .kafkaSasl.passwordKey) -}}
{{- end -}}
{{- if $.Values.autoscaling.keda.authentication.tls -}}
{{- if .kafkaCa.existingSecret -}}
{{- $parameters = append $parameters (dict "parameter" "ca" "name" .kafkaCa.existingSecret "key" .kafkaCa.key) -}}
{{- end -}}
{{- if .kafkaTls.existingSecret -}}
{{- $parameters = append $parameters (dict "parameter" "cert" "name" .kafkaTls.existingSecret "key" .kafkaTls.certificateKey) -}}
{{- $parameters = append $parameters (dict "parameter" "key" "name" .kafkaTls.existingSecret "key" .kafkaTls.privateKeyKey) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $parameters | toJson -}}
{{- end -}}

{{- define "dc.kedaAuthenticationName" -}}
{{- $auth := .Values.autoscaling.keda.authentication -}}
{{- if $auth.existing -}}
{{- $auth.existing -}}
{{- else if or (eq $auth.sasl "aws_msk_iam") (include "dc.kedaParameters" . | fromJsonArray) -}}
{{- include "dc.fullname" . -}}
{{- end -}}
{{- end -}}

{{/* AWS region of the brokers: `aws.region` of the configuration, else the region in their names. */}}
{{- define "dc.mskRegion" -}}
{{- $properties := dig "kafka" "properties" dict (default dict .Values.config) -}}
{{- $host := regexFind "[.]kafka(-serverless)?[.][a-z0-9-]+[.]amazonaws[.]com" (include "dc.bootstrapServers" .) -}}
{{- get $properties "aws.region" | default (regexReplaceAll "^[.]kafka(-serverless)?[.]|[.]amazonaws[.]com$" $host "") -}}
{{- end -}}
