{{/* Values that the chart reads from the configuration, and combinations that it refuses. */}}

{{/* The configuration, with connector.yaml as schema file if the chart renders it. */}}
{{- define "dc.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if and .Values.connectorSchema (hasKey $config "connector") (not (hasKey $config.connector "schema_file")) -}}
{{- $_ := set $config.connector "schema_file" "connector.yaml" -}}
{{- end -}}
{{ toYaml $config }}
{{- end -}}

{{/* Convert a duration such as 500ms, 30s, 5m or 2h to milliseconds; empty for a ${NAME} reference. */}}
{{- define "dc.milliseconds" -}}
{{- $text := toString . -}}
{{- if regexMatch "^[0-9]+([.][0-9]+)?(ms|s|m|h)$" $text -}}
{{- $factor := index (dict "ms" 1.0 "s" 1000.0 "m" 60000.0 "h" 3600000.0) (regexFind "(ms|s|m|h)$" $text) -}}
{{- mulf (regexFind "^[0-9.]+" $text | float64) $factor | ceil | int64 -}}
{{- end -}}
{{- end -}}

{{/* Ports of the brokers as a JSON list without duplicates. */}}
{{- define "dc.brokerPorts" -}}
{{- $ports := .Values.networkPolicy.brokerPorts -}}
{{- if not $ports -}}
{{- $servers := dig "kafka" "bootstrap_servers" list (default dict .Values.config) -}}
{{- if kindIs "string" $servers -}}{{- $servers = splitList "," $servers -}}{{- end -}}
{{- range $servers -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" (trim .) | trimPrefix ":" | default "9092" | int) -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{- define "dc.bootstrapServers" -}}
{{- $servers := dig "kafka" "bootstrap_servers" "" (default dict .Values.config) -}}
{{- if kindIs "slice" $servers -}}{{- $servers = join "," $servers -}}{{- end -}}
{{- default $servers .Values.autoscaling.keda.bootstrapServers -}}
{{- end -}}

{{- define "dc.consumerGroup" -}}
{{- default (dig "kafka" "group_id" "" (default dict .Values.config)) .Values.autoscaling.keda.consumerGroup -}}
{{- end -}}

{{/* Upper limit for KEDA: the partitions of the largest topic, or the pods that the request rate is enough for. */}}
{{- define "dc.mostReplicas" -}}
{{- $partitions := 1 -}}
{{- range .Values.autoscaling.keda.topics -}}{{- $partitions = max $partitions (int .partitions) -}}{{- end -}}
{{- $rate := dig "delivery" "requests_per_second" 250 (default dict .Values.config) | int -}}
{{- if not $rate -}}{{- $rate = 250 -}}{{- end -}}
{{- $fed := max 1 (div $rate (int .Values.autoscaling.requestsPerSecondPerReplica)) -}}
{{- min $partitions $fed -}}
{{- end -}}

{{- define "dc.maxReplicas" -}}
{{- if eq .Values.autoscaling.mode "keda" -}}
{{- default (include "dc.mostReplicas" . | int) .Values.autoscaling.maxReplicas -}}
{{- else -}}
{{- .Values.autoscaling.maxReplicas -}}
{{- end -}}
{{- end -}}

{{/* Refuse combinations that cannot work before anything is installed. */}}
{{- define "dc.refuse" -}}
{{- include "dc.refuseConfig" . -}}
{{- include "dc.refuseMembership" . -}}
{{- include "dc.refuseGrace" . -}}
{{- include "dc.refuseScaling" . -}}
{{- end -}}

{{- define "dc.refuseConfig" -}}
{{- if and .Values.existingConfigMap (or .Values.config .Values.connectorSchema) -}}
{{- fail "existingConfigMap: set together with config or connectorSchema; keep one of them" -}}
{{- end -}}
{{- if not (or .Values.existingConfigMap .Values.config) -}}
{{- fail "config: is empty; write the configuration there, or set existingConfigMap to the name of a ConfigMap" -}}
{{- end -}}
{{- if dig "admin" "listen" "" (default dict .Values.config) -}}
{{- fail "config.admin.listen: the chart sets it; write adminPort instead" -}}
{{- end -}}
{{- if and (hasKey (default dict .Values.config) "connector") (not .Values.connectorSchema) -}}
{{- fail "connectorSchema: is empty, but config.connector needs it; write the connector's OpenAPI file there" -}}
{{- end -}}
{{- range dig "routes" list (default dict .Values.config) -}}
{{- if and (has (toString .destination) (list "bulk" "crm_bulk")) (not $.Values.spool.enabled) -}}
{{- fail "spool.enabled: required for destination: bulk and crm_bulk, because rows are collected on disk and the root file system is read-only; write true" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dc.refuseMembership" -}}
{{- $id := dig "kafka" "properties" "group.instance.id" "" (default dict .Values.config) -}}
{{- if and $id (ne .Values.kind "StatefulSet") -}}
{{- fail "kind: config.kafka.properties has group.instance.id (static membership), which needs stable pod names; write kind: StatefulSet" -}}
{{- end -}}
{{- if and .Values.config (not $id) (eq .Values.kind "StatefulSet") -}}
{{- fail "kind: StatefulSet is only for static membership; write group.instance.id: ${POD_NAME} into config.kafka.properties, or kind: Deployment" -}}
{{- end -}}
{{- if and $id (not (contains "${POD_NAME}" $id)) -}}
{{- fail "config.kafka.properties: group.instance.id must be different in each pod; write ${POD_NAME}" -}}
{{- end -}}
{{- end -}}

{{- define "dc.refuseGrace" -}}
{{- with .Values.rollout -}}
{{- if not (or (int .maxSurge) (int .maxUnavailable)) -}}
{{- fail "rollout: maxSurge and maxUnavailable are both 0, so no pod could be replaced; set one of them to 1" -}}
{{- end -}}
{{- end -}}
{{- $drain := include "dc.milliseconds" (dig "delivery" "drain_timeout" "25s" (default dict .Values.config)) -}}
{{- $timeout := include "dc.milliseconds" (dig "delivery" "timeout" "20s" (default dict .Values.config)) -}}
{{- if $drain -}}
{{- $least := add (div (add (int64 $drain) 999) 1000) 10 -}}
{{- if lt (int64 .Values.terminationGracePeriodSeconds) $least -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is less than delivery.drain_timeout plus 10 s for the last commit; write %d or more" (int .Values.terminationGracePeriodSeconds) $least) -}}
{{- end -}}
{{- if and $timeout (ge (int64 $timeout) (int64 $drain)) -}}
{{- fail "config.delivery.timeout: is not below drain_timeout, so the drain would end before the request; write a shorter timeout" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dc.refuseScaling" -}}
{{- with .Values.autoscaling -}}
{{- if eq .mode "hpa" -}}
{{- if not .maxReplicas -}}
{{- fail "autoscaling.maxReplicas: required for mode hpa; write at most the partition count of the largest topic" -}}
{{- end -}}
{{- if lt (int .minReplicas) 1 -}}
{{- fail "autoscaling.minReplicas: 0 is only allowed for mode keda; write 1 or more" -}}
{{- end -}}
{{- if and (not .hpa.metrics) (not (dig "requests" "cpu" "" $.Values.resources)) -}}
{{- fail "resources.requests.cpu: required for mode hpa on CPU, because utilization is relative to the request" -}}
{{- end -}}
{{- else if eq .mode "keda" -}}
{{- include "dc.refuseTriggers" $ -}}
{{- $most := include "dc.mostReplicas" $ | int -}}
{{- if gt (int (default 0 .maxReplicas)) $most -}}
{{- fail (printf "autoscaling.maxReplicas: %d is more than the partitions of the largest topic or the request rate allow; write %d or less, or null" (int .maxReplicas) $most) -}}
{{- end -}}
{{- end -}}
{{- if and (ne .mode "none") (gt (int .minReplicas) (int (include "dc.maxReplicas" $))) -}}
{{- fail (printf "autoscaling.minReplicas: %d is more than the maximum, %s; write less" (int .minReplicas) (include "dc.maxReplicas" $)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "dc.refuseTriggers" -}}
{{- $named := .Values.autoscaling.keda.topics -}}
{{- if not $named -}}
{{- fail "autoscaling.keda.topics: is empty; write each topic with its partition count" -}}
{{- end -}}
{{- range dig "routes" list (default dict .Values.config) -}}
{{- $topics := .topics -}}
{{- if kindIs "string" $topics -}}{{- $topics = splitList "," $topics -}}{{- end -}}
{{- range $topics -}}
{{- if and (not (hasPrefix "^" .)) (not (hasKey $named .)) -}}
{{- fail (printf "autoscaling.keda.topics: %s is used by a route and missing here; write %s: {partitions: N}" . .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not (include "dc.bootstrapServers" .) -}}
{{- fail "autoscaling.keda.bootstrapServers: required with existingConfigMap, which the chart cannot read" -}}
{{- end -}}
{{- if not (include "dc.consumerGroup" .) -}}
{{- fail "autoscaling.keda.consumerGroup: required with existingConfigMap, which the chart cannot read" -}}
{{- end -}}
{{- if contains "${" (include "dc.bootstrapServers" .) -}}
{{- fail "autoscaling.keda.bootstrapServers: KEDA cannot read the environment of the pods; write the brokers here" -}}
{{- end -}}
{{- if contains "${" (include "dc.consumerGroup" .) -}}
{{- fail "autoscaling.keda.consumerGroup: KEDA cannot read the environment of the pods; write the group here" -}}
{{- end -}}
{{- $auth := .Values.autoscaling.keda.authentication -}}
{{- if eq $auth.sasl "aws_msk_iam" -}}
{{- if not (include "dc.mskRegion" .) -}}
{{- fail "autoscaling.keda.authentication.sasl: the broker names contain no AWS region; write aws.region into config.kafka.properties" -}}
{{- end -}}
{{- if not $auth.tls -}}
{{- fail "autoscaling.keda.authentication.tls: IAM authentication requires TLS; write true" -}}
{{- end -}}
{{- else if and (ne $auth.sasl "none") (not (or $auth.existing .Values.credentials.kafkaSasl.existingSecret)) -}}
{{- fail "autoscaling.keda.authentication.sasl: requires credentials.kafkaSasl.existingSecret or authentication.existing; set one of them" -}}
{{- end -}}
{{- end -}}
