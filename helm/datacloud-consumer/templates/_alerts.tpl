{{- define "dc.alertLabels" -}}
{{- with .Values.monitoring.rules.alertLabels }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* By how much a counter rose within 15 minutes. Series begin with their first event, which `increase` does not see. */}}
{{- define "dc.raised" -}}
({{ . }} - {{ . }} offset 15m > 0) or ({{ . }} unless {{ . }} offset 15m)
{{- end -}}
