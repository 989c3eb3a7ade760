{{/* Pod template of Deployment and StatefulSet; the pod of `helm test` shares parts of it. */}}

{{/* Credentials mounted as files, as JSON: volume name, Secret, key, and the configuration key for the path. */}}
{{- define "dc.files" -}}
{{- $files := list -}}
{{- with .Values.credentials -}}
{{- range $name, $setting := dict
      "private-key" (list .privateKey "SALESFORCE__PRIVATE_KEY_FILE")
      "client-secret" (list .clientSecret "SALESFORCE__CLIENT_SECRET_FILE")
      "refresh-token" (list .refreshToken "SALESFORCE__REFRESH_TOKEN_FILE")
      "password" (list .password "SALESFORCE__PASSWORD_FILE")
      "schema-registry" (list .schemaRegistry "KAFKA__SCHEMA_REGISTRY__PASSWORD_FILE")
      "kafka-ca" (list .kafkaCa "KAFKA__PROPERTIES__SSL_CA_LOCATION") -}}
{{- $credential := first $setting -}}
{{- if $credential.existingSecret -}}
{{- $files = append $files (dict "volume" $name "secret" $credential.existingSecret "key" $credential.key "setting" (last $setting)) -}}
{{- end -}}
{{- end -}}
{{- with .kafkaTls -}}
{{- if .existingSecret -}}
{{- $files = append $files (dict "volume" "kafka-certificate" "secret" .existingSecret "key" .certificateKey "setting" "KAFKA__PROPERTIES__SSL_CERTIFICATE_LOCATION") -}}
{{- $files = append $files (dict "volume" "kafka-key" "secret" .existingSecret "key" .privateKeyKey "setting" "KAFKA__PROPERTIES__SSL_KEY_LOCATION") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $files | toJson -}}
{{- end -}}

{{/* One `env` entry from a Secret. */}}
{{- define "dc.fromSecret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end -}}

{{- define "dc.env" -}}
- name: DATACLOUD_CONSUMER_CONFIG
  value: /etc/datacloud-consumer/consumer.yaml
- name: DATACLOUD_CONSUMER__ADMIN__LISTEN
  value: {{ printf "0.0.0.0:%d" (int .Values.adminPort) }}
{{- if .Values.spool.enabled }}
- name: DATACLOUD_CONSUMER__DELIVERY__SPOOL_DIR
  value: /var/lib/datacloud-consumer
{{- end }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- range include "dc.files" . | fromJsonArray }}
- name: DATACLOUD_CONSUMER__{{ .setting }}
  value: /run/secrets/datacloud-consumer/{{ .volume }}/{{ .key }}
{{- end }}
{{- with .Values.credentials.clientId }}
{{- if .existingSecret }}
{{ include "dc.fromSecret" (dict "name" "DATACLOUD_CONSUMER__SALESFORCE__CLIENT_ID" "secret" .existingSecret "key" .key) }}
{{- end }}
{{- end }}
{{- with .Values.credentials.kafkaSasl }}
{{- if .existingSecret }}
{{ include "dc.fromSecret" (dict "name" "DATACLOUD_CONSUMER__KAFKA__PROPERTIES__SASL_USERNAME" "secret" .existingSecret "key" .usernameKey) }}
{{ include "dc.fromSecret" (dict "name" "DATACLOUD_CONSUMER__KAFKA__PROPERTIES__SASL_PASSWORD" "secret" .existingSecret "key" .passwordKey) }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dc.volumeMounts" -}}
- name: config
  mountPath: /etc/datacloud-consumer
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- if .Values.spool.enabled }}
- name: spool
  mountPath: /var/lib/datacloud-consumer
{{- end }}
{{- range include "dc.files" . | fromJsonArray }}
- name: {{ .volume }}
  mountPath: /run/secrets/datacloud-consumer/{{ .volume }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dc.volumes" -}}
- name: config
  configMap:
    name: {{ include "dc.configMapName" . }}
    defaultMode: 292  # 0444
- name: tmp
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
{{- if .Values.spool.enabled }}
- name: spool
  emptyDir:
    sizeLimit: {{ .Values.spool.sizeLimit }}
{{- end }}
{{- range include "dc.files" . | fromJsonArray }}
- name: {{ .volume }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 288  # 0440: read-only for the owner and the group of the pod, no access for others
    items:
      - key: {{ .key }}
        path: {{ .key }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Keys that all containers of this chart share. */}}
{{- define "dc.container" -}}
image: {{ include "dc.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
env:
  {{- include "dc.env" . | nindent 2 }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  {{- include "dc.volumeMounts" . | nindent 2 }}
{{- end -}}

{{- define "dc.lintContainer" -}}
name: lint
args: [lint{{ if .Values.lint.denyWarnings }}, --deny-warnings{{ end }}]
resources:
  {{- toYaml .Values.lintResources | nindent 2 }}
{{ include "dc.container" . }}
{{- end -}}

{{/* Keys that all pods of this chart share. */}}
{{- define "dc.podBasics" -}}
serviceAccountName: {{ include "dc.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- if not (kindIs "invalid" .Values.hostUsers) }}
hostUsers: {{ .Values.hostUsers }}
{{- end }}
{{- range $key := list "imagePullSecrets" "runtimeClassName" "nodeSelector" "tolerations" "dnsPolicy" "dnsConfig" "hostAliases" }}
{{- with index $.Values $key }}
{{ $key }}: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "dc.podTemplate" -}}
metadata:
  labels:
    {{- include "dc.labels" . | nindent 4 }}
    app.kubernetes.io/component: consumer
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: consumer
    {{- if not .Values.existingConfigMap }}
    checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "dc.podBasics" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- range $key := list "priorityClassName" "schedulerName" "affinity" }}
  {{- with index $.Values $key }}
  {{ $key }}: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{ toYaml . | nindent 6 | trim }}
      {{- if not .labelSelector }}
      labelSelector:
        matchLabels:
          {{- include "dc.podSelector" $ | nindent 10 }}
      {{- end }}
    {{- end }}
  {{- end }}
  {{- if or .Values.lint.enabled .Values.extraInitContainers }}
  initContainers:
    {{- with .Values.extraInitContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- if .Values.lint.enabled }}
    - {{ include "dc.lintContainer" . | nindent 6 | trim }}
    {{- end }}
  {{- end }}
  containers:
    - name: consumer
      args: [run]
      ports:
        - name: admin
          containerPort: {{ .Values.adminPort }}
          protocol: TCP
      startupProbe:
        httpGet: {path: /livez, port: admin}
        {{- toYaml .Values.probes.startup | nindent 8 }}
      livenessProbe:
        httpGet: {path: /livez, port: admin}
        {{- toYaml .Values.probes.liveness | nindent 8 }}
      readinessProbe:
        httpGet: {path: /readyz, port: admin}
        {{- toYaml .Values.probes.readiness | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      {{- include "dc.container" . | nindent 6 }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "dc.volumes" . | nindent 4 }}
{{- end -}}
