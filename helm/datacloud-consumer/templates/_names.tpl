{{/* Names, labels and the image. */}}

{{- define "dc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "dc.fullname" -}}
{{- $name := include "dc.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "dc.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dc.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels that select the pods of the daemon; the pod of `helm test` has another component. */}}
{{- define "dc.podSelector" -}}
{{ include "dc.selectorLabels" . }}
app.kubernetes.io/component: consumer
{{- end -}}

{{- define "dc.labels" -}}
{{ include "dc.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dc.metadata" -}}
name: {{ include "dc.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "dc.labels" . | nindent 2 }}
{{- end -}}

{{- define "dc.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dc.serviceAccountName" -}}
{{- $own := ternary (include "dc.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $own .Values.serviceAccount.name -}}
{{- end -}}

{{- define "dc.configMapName" -}}
{{- default (include "dc.fullname" .) .Values.existingConfigMap -}}
{{- end -}}
