{{- define "dc.alertLabels" -}}
{{- with .Values.monitoring.rules.alertLabels }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* Increase of a counter within 15 minutes. A series starts with its first event, which `increase` does not count. */}}
{{- define "dc.raised" -}}
({{ . }} - {{ . }} offset 15m > 0) or ({{ . }} unless {{ . }} offset 15m)
{{- end -}}
