"""Mistakes to plant, by the check that has to find each and the object they are put into: path, value, what it says."""

from __future__ import annotations

from typing import Any

from tests.k8s.documents import GONE, WITH_TOOLS

Where = tuple[str, str, str]
"""Overlay or variant, kind and name."""

Mistake = tuple[str, Any, str]

SERVICE = ("production", "RayService", "policy")
TRAIN = ("cpu", "RayJob", "train")
TUNE = ("cpu", "RayJob", "tune")
WORK = ("cpu", "RayCluster", "interactive")
CLUSTER = "spec.rayClusterConfig"
HEAD = f"{CLUSTER}.headGroupSpec"
WORKER = f"{CLUSTER}.workerGroupSpecs.0"
IN_HEAD, IN_WORKER = f"{HEAD}.template.spec.containers.0", f"{WORKER}.template.spec.containers.0"
JOB = "spec.rayClusterSpec"
INGRESS = ("production behind an ingress", "Ingress", "policy")
GATEWAY = ("production", "Gateway", "policy")
ROUTE = ("production", "HTTPRoute", "policy")
NODES = ("production", "PodMonitor", "ray-nodes")
REDIS = ("production", "StatefulSet", "redis")
REDIS_SERVICE = ("production", "Service", "redis")
BUDGET = ("production", "PodDisruptionBudget", "serve-workers")
REDIS_NETWORK = ("production", "NetworkPolicy", "redis")
SERVE_NETWORK = ("production", "NetworkPolicy", "ray-serve")
ALERTS = ("production", "PrometheusRule", "policies")
ACCOUNT = ("production", "ServiceAccount", "ray-pod")
BINDING = ("production", "RoleBinding", "policy-release")
STANDALONE = ("local", "Deployment", "policy-standalone")
BUNDLES = (WITH_TOOLS, "Pod", "bundles")
GPU_TRAIN = ("gpu", "RayJob", "train")
GPU_TUNE = ("gpu", "RayJob", "tune")
QUEUED = ("GPU jobs in a queue", "RayJob", "tune")
STORED = ("GPU runs in an object store", "RayJob", "tune")
STORED_WORK = ("GPU runs in an object store", "RayCluster", "interactive")
SMALL = {"requests": {"cpu": "3", "memory": "512Mi"}, "limits": {"cpu": "3", "memory": "512Mi"}}
NARROW = {"requests": {"cpu": "2", "memory": "2Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}}
BY_JOB_STATUS = [
    {"policy": "DeleteCluster", "condition": {"jobStatus": status, "ttlSeconds": 300}} for status in ("SUCCEEDED", "FAILED")
]
OF_RUNS = {"name": "runs", "persistentVolumeClaim": {"claimName": "runs"}}
SEARCH = "rllib-citylearn tune --storage /runs /work/tune_configs/searches/asha.yaml --address auto"

MISTAKES: dict[str, dict[Where, list[Mistake]]] = {
    "schema": {
        SERVICE: [
            ("spec.serveConfig", "", "'serveConfig' was unexpected"),
            (f"{CLUSTER}.enableAutoscaling", True, "'enableAutoscaling' was unexpected"),
            (f"{IN_HEAD}.env.0.valeu", "x", "'valeu' was unexpected"),
            (f"{IN_WORKER}.resources.limits.cpu", [3], "is not valid under any of the given schemas"),
            (f"{IN_WORKER}.resources.limits.cpu", "three", "does not match"),
            (f"{WORKER}.maxReplicas", "4", "is not of type 'integer'"),
            (f"{WORKER}.maxReplicas", 2**31, "greater than the maximum"),
            (f"{HEAD}.rayStartParams.num-cpus", 0, "is not of type 'string'"),
            (f"{CLUSTER}.autoscalerOptions.version", "v3", "is not one of ['v1', 'v2']"),
            (f"{CLUSTER}.authOptions.mode", "basic", "is not one of"),
            (f"{WORKER}.groupName", GONE, "'groupName' is a required property"),
            ("apiVersion", "ray.io/v1alpha1", "not ray.io/v1"),
        ],
        TRAIN: [
            ("spec.deletionStrategy.deletionRules.0.condition.jobStatus", GONE, "requires either the JobStatus"),
            ("spec.deletionStrategy.deletionRules.0.condition.jobDeploymentStatus", "Failed", "cannot be used together"),
            ("spec.deletionStrategy.onSuccess", {"policy": "DeleteSelf"}, "cannot be used together"),
            ("spec.deletionStrategy.deletionRules.0.policy", "DeleteAll", "is not one of"),
            ("spec.managedBy", "somebody", "must be either 'ray.io/kuberay-operator'"),
        ],
        WORK: [
            ("spec.headGroupSpec.template.spec.containers.0.ports.0", {"name": "x"}, "'containerPort' is a required"),
        ],
    },
    "core": {
        REDIS: [
            ("spec.template.spec.container", [], "container"),
        ],
        BUDGET: [
            ("spec.minAvailible", 1, "minAvailible"),
        ],
        REDIS_NETWORK: [
            ("spec.ingress.0.form", [], "form"),
        ],
        INGRESS: [
            ("apiVersion", "extensions/v1beta1", "no such kind"),
        ],
        GATEWAY: [
            ("spec.listeners.0.tls", GONE, "the listener https is HTTPS, and lacks tls"),
            ("spec.gatewayClass", "envoy", "gatewayClass"),
        ],
        ROUTE: [
            ("spec.rules.0.timeouts.request", "35", "does not match"),
        ],
        ALERTS: [
            ("spec.groups.0.rules.0.severity", "critical", "severity"),
        ],
        NODES: [
            ("spec.podMetricsEndpoints.0.interval", "15", "does not match"),
        ],
        ACCOUNT: [
            ("metadata.name", "Ray_Pod", "none that Kubernetes takes"),
        ],
    },
    "operator": {
        SERVICE: [
            ("spec.upgradeStrategy.type", "Rolling", "KubeRay takes NewCluster"),
            ("spec.upgradeStrategy.type", "NewClusterWithIncrementalUpgrade", "need clusterUpgradeOptions"),
            ("spec.upgradeStrategy.clusterUpgradeOptions", {"intervalSeconds": 5}, "do nothing with NewCluster"),
            ("metadata.name", "p" * 48, "has 48 letters"),
            ("metadata.name", "1policy", "has to begin with a letter"),
            (f"{HEAD}.headService", {"metadata": {"name": "head"}}, "kuberay#2433"),
            (f"{HEAD}.template.spec.restartPolicy", "Always", "autoscaler v2 needs Never"),
            (f"{WORKER}.template.spec.restartPolicy", "OnFailure", "autoscaler v2 needs Never"),
            (f"{WORKER}.rayStartParams.num-cpus", "1.5", "Ray's autoscaler reads whole numbers"),
            (f"{CLUSTER}.rayVersion", "2.51.0", "2.52 or later"),
            (f"{CLUSTER}.rayVersion", GONE, "2.52 or later"),
            (f"{CLUSTER}.authOptions.enableK8sTokenAuth", True, "not for RayServices"),
            (f"{CLUSTER}.enableInTreeAutoscaling", False, "idleTimeoutSeconds needs"),
            (f"{CLUSTER}.autoscalerOptions.version", "v1", "idleTimeoutSeconds needs"),
            (f"{CLUSTER}.networkPolicy", {}, "alpha feature"),
            (f"{CLUSTER}.tlsOptions", {"enabled": True}, "alpha feature"),
            (f"{CLUSTER}.gcsFaultToleranceOptions.backend", "rocksdb", "alpha feature"),
            (f"{CLUSTER}.gcsFaultToleranceOptions.storage", {"size": "1Gi"}, "rocksdb alone"),
            (f"{CLUSTER}.gcsFaultToleranceOptions.externalStorageNamespace", "x", "shared by both clusters"),
            (f"{HEAD}.rayStartParams.redis-password", "x", "gcsFaultToleranceOptions.redisPassword"),
            (f"{IN_HEAD}.env.0", {"name": "REDIS_PASSWORD", "value": "x"}, "KubeRay's to set"),
            (f"{IN_HEAD}.env.0", {"name": "RAY_enable_autoscaler_v2", "value": "1"}, "KubeRay's to set"),
            (f"{HEAD}.template.metadata.labels.app~1kubernetes~1io/name", "policy", "services select"),
            (f"{HEAD}.resources", {"CPU": "0"}, "said twice"),
            (f"{WORKER}.rayStartParams.labels", "a=b", "labels belong into"),
            (f"{WORKER}.minReplicas", 5, "above maxReplicas"),
            (f"{WORKER}.replicas", 9, "not between minReplicas and maxReplicas"),
            (f"{WORKER}.suspend", True, "does not go with the autoscaler"),
            (f"{IN_WORKER}.command", ["sleep"], "before `ray start`"),
            (f"{IN_HEAD}.ports.3.name", "http", "names no port `serve`"),
        ],
        TRAIN: [
            ("spec.shutdownAfterJobFinishes", True, "exclude each other"),
            ("spec.suspend", True, "needs shutdownAfterJobFinishes"),
            ("spec.ttlSecondsAfterFinished", 60, "needs shutdownAfterJobFinishes"),
            ("spec.deletionStrategy", GONE, "nothing deletes the cluster"),
            ("spec.deletionStrategy.deletionRules.1.condition.ttlSeconds", 0, "workers have to go first"),
            ("spec.deletionStrategy.deletionRules.1.policy", "DeleteCluster", "is there twice"),
            ("spec.deletionStrategy.deletionRules", BY_JOB_STATUS, "after a deadline, or a submission"),
            ("spec.deletionStrategy.deletionRules", BY_JOB_STATUS[1:], "after it succeeded"),
            (
                "spec.deletionStrategy.deletionRules.3.condition",
                {"jobStatus": "FAILED", "ttlSeconds": 86400},
                "goes by jobStatus",
            ),
            ("spec.activeDeadlineSeconds", 0, "above 0"),
            ("spec.submissionMode", "SidecarMode", "no template of a submitter"),
            ("spec.submissionMode", "InteractiveMode", "tries nothing again"),
            (f"{JOB}.workerGroupSpecs.0.maxReplicas", GONE, "both needed without the autoscaler"),
        ],
        TUNE: [
            ("spec.deletionStrategy.deletionRules.0.policy", "DeleteWorkers", "does not go with the autoscaler"),
            ("spec.deletionStrategy.deletionRules", BY_JOB_STATUS, "after a deadline, or a submission"),
        ],
        QUEUED: [
            (f"{JOB}.workerGroupSpecs.0.maxReplicas", 4, "replicas, least and most differ"),
            (f"{JOB}.workerGroupSpecs.1.minReplicas", 0, "gpu: Kueue counts clusters of a fixed size"),
            (f"{JOB}.workerGroupSpecs.1.idleTimeoutSeconds", 300, "gpu: idleTimeoutSeconds needs"),
        ],
    },
    "restricted": {
        SERVICE: [
            (f"{IN_WORKER}.securityContext", GONE, "wait-gcs-ready does not drop all capabilities"),
            (f"{CLUSTER}.autoscalerOptions.securityContext", GONE, "autoscaler does not drop all"),
            (f"{CLUSTER}.autoscalerOptions.volumeMounts", GONE, "no token for the Kubernetes API"),
            (f"{HEAD}.template.spec.automountServiceAccountToken", True, "every container would have"),
            (f"{IN_HEAD}.securityContext.allowPrivilegeEscalation", True, "allowPrivilegeEscalation: false"),
            (f"{IN_HEAD}.securityContext.capabilities.add", ["NET_ADMIN"], "adds capabilities"),
            (f"{IN_HEAD}.securityContext.readOnlyRootFilesystem", False, "write to its root"),
            (f"{IN_HEAD}.securityContext.runAsUser", 0, "runs as root"),
            (f"{HEAD}.template.spec.volumes.0", {"name": "tmp", "hostPath": {"path": "/"}}, "hostPath"),
            (f"{HEAD}.template.spec.hostNetwork", True, "hostNetwork is refused"),
            (f"{IN_HEAD}.ports.0.hostPort", 6379, "takes a port of its node"),
        ],
        TRAIN: [
            ("spec.submitterPodTemplate", GONE, "RayJob train submitter: ray-job-submitter does not"),
        ],
    },
    "references": {
        SERVICE: [
            (f"{HEAD}.template.spec.serviceAccountName", "ray", "no ServiceAccount ray"),
            (f"{IN_HEAD}.volumeMounts.2.name", "policies", "the volume policies, which the pod has not"),
            (f"{HEAD}.template.spec.volumes.2.persistentVolumeClaim.claimName", "b", "no PersistentVolumeClaim b"),
            (f"{HEAD}.template.spec.volumes.3.secret.secretName", "tokens", "makes no secret tokens"),
            (f"{CLUSTER}.authOptions.secretName", "token", "makes no secret token with auth_token"),
            (f"{CLUSTER}.authOptions.secretName", GONE, "makes no secret policy-abcde"),
            (f"{CLUSTER}.gcsFaultToleranceOptions.redisAddress", "redis-svc:6379", "No Service answers"),
            (f"{CLUSTER}.gcsFaultToleranceOptions.redisPassword.valueFrom.secretKeyRef.key", "pw", "with pw"),
            (f"{CLUSTER}.gcsFaultToleranceOptions.redisPassword", {"value": "x"}, "stands in the manifest"),
            (f"{IN_WORKER}.readinessProbe.httpGet.port", 8001, "says nothing listens"),
            (f"{IN_WORKER}.env.1.name", "HOME", "has a variable twice"),
            (f"{IN_WORKER}.ports.2.name", "replica", "has no port replica-0"),
            (f"{WORKER}.template.metadata.labels.app~1kubernetes~1io/component", "work", "labels that it has not"),
            ("metadata.namespace", "default", "not in the namespace"),
        ],
        GATEWAY: [
            ("spec.listeners.0.name", "tls", "no listener https at a Gateway policy"),
            ("spec.listeners.0.hostname", "example.org", "its hosts are not the listener's"),
            ("spec.listeners.0.tls.certificateRefs.0.name", "tls", "makes no secret tls"),
        ],
        ROUTE: [
            ("spec.rules.0.backendRefs.0.name", "policy", "no Service policy"),
            ("spec.rules.0.backendRefs.0.port", 80, "has no port 80"),
        ],
        STORED: [
            (f"{JOB}.workerGroupSpecs.1.template.spec.volumes.2", OF_RUNS, "no PersistentVolumeClaim runs"),
        ],
        STORED_WORK: [
            ("spec.workerGroupSpecs.1.template.spec.volumes.2", OF_RUNS, "no PersistentVolumeClaim runs"),
        ],
        INGRESS: [
            ("spec.rules.0.http.paths.0.backend.service.name", "policy", "no Service policy"),
            ("spec.rules.0.http.paths.0.backend.service.port.name", "http", "has no port http"),
            ("spec.tls.0.hosts.0", "example.org", "a host has no certificate"),
            ("spec.tls.0.secretName", "tls", "makes no secret tls"),
        ],
        NODES: [
            ("spec.selector.matchLabels.ray~1io/is-ray-node", "true", "no pod has the labels"),
            ("spec.podMetricsEndpoints.0.port", "metric", "no port metric"),
        ],
        SERVE_NETWORK: [
            ("spec.podSelector.matchLabels", {"app.kubernetes.io/component": "serving"}, "no pod has the labels"),
        ],
        BUDGET: [
            ("spec.minAvailable", "50%", "they have no scale"),
        ],
        BINDING: [
            ("roleRef.name", "release", "no Role release"),
        ],
        REDIS_SERVICE: [
            ("spec.selector.app~1kubernetes~1io/component", "cache", "no pod has"),
            ("spec.ports.0.targetPort", "tcp", "has no port tcp"),
        ],
        REDIS: [
            ("spec.serviceName", "redis-0", "no Service redis-0"),
            ("spec.template.spec.volumes.1.configMap.name", "redis", "no ConfigMap redis"),
        ],
    },
    "contents": {
        SERVICE: [
            (f"{IN_HEAD}.image", "rllib-citylearn-serve:latest", "has no version of its own"),
            (f"{IN_HEAD}.image", "rllib-citylearn-serve:0.2.0", "is not of version 0.1.0"),
            (f"{IN_HEAD}.image", "rllib-citylearn:0.1.0", "none of the images"),
            (f"{IN_WORKER}.volumeMounts.2.mountPath", "/policies", "/bundles/current is on no volume"),
            (f"{IN_WORKER}.volumeMounts.3.subPath", "tokens", "new tokens would not arrive"),
            (f"{IN_WORKER}.volumeMounts.3.mountPath", "/tokens", "/secrets/tokens is in no secret"),
        ],
        TRAIN: [
            (f"{JOB}.headGroupSpec.template.spec.containers.0.image", "rllib-citylearn-serve:0.1.0", "nothing that trains"),
            ("spec.entrypoint", "rllib-citylearn train --storge /runs", "command line is refused"),
            ("spec.entrypoint", "python train.py", "python is no program of the images"),
        ],
        REDIS: [
            ("spec.template.spec.containers.0.image", "docker.io/library/redis:7.2.5-alpine", "has holes"),
            ("spec.template.spec.containers.0.image", "docker.io/library/redis:7-alpine", "has no version of its own"),
        ],
        GPU_TUNE: [
            ("spec.entrypoint", f"{SEARCH} --runs /tmp/runs --name asha --continue", "or no worker has one"),
            (f"{JOB}.workerGroupSpecs.0.minReplicas", 1, "cpu: 1 workers without a GPU wait"),
            (f"{JOB}.workerGroupSpecs.1.rayStartParams.num-cpus", "2", "gpu: 2 cores do not do for the trials"),
        ],
        STORED: [
            (f"{JOB}.workerGroupSpecs.1.template.spec.containers.0.envFrom", GONE, "gpu has no credentials for s3://"),
            (
                "spec.entrypoint",
                f"{SEARCH} --runs /tmp/runs --name asha --continue",
                "is not one volume that all nodes write to",
            ),
        ],
        STANDALONE: [
            ("spec.template.spec.containers.0.args.2", "/settings/a.yaml", "is in no ConfigMap"),
            ("spec.template.spec.containers.0.args.4", "127.0.0.1", "where no Service reaches it"),
            ("spec.template.spec.containers.0.command", ["rllib-citylearn"], "takes the place of tini"),
        ],
        BUNDLES: [
            ("spec.containers.0.command", ["/bin/bash", "-c", "sleep infinity & wait"], "takes the place of tini"),
        ],
    },
    "sizes": {
        SERVICE: [
            (f"{HEAD}.rayStartParams.num-cpus", "1", "work goes to the head"),
            (f"{WORKER}.rayStartParams.num-cpus", "4", "Ray is told of 4 CPUs"),
            (f"{WORKER}.rayStartParams.object-store-memory", "10485760", "smaller than Ray's least"),
            (f"{WORKER}.rayStartParams.object-store-memory", "536870912", "does not fit into /dev/shm"),
            (f"{WORKER}.template.spec.volumes.1.emptyDir.medium", GONE, "does not fit into /dev/shm"),
            (f"{WORKER}.maxReplicas", 3, "do not fit into 3 pods"),
            (f"{WORKER}.maxReplicas", 9, "more than 8 replicas fill"),
            (f"{IN_WORKER}.resources.limits.cpu", "2", "requests more cpu than its limit"),
            (f"{IN_WORKER}.resources.limits.memory", "3Gi", "was not kept for it"),
            (f"{IN_WORKER}.resources", SMALL, "do not fit into 512 MiB"),
            (f"{IN_WORKER}.resources", NARROW, "leave HAProxy and Ray no core"),
            (f"{IN_WORKER}.env.3.value", "30002", "the workers' ports are"),
            (f"{WORKER}.template.spec.terminationGracePeriodSeconds", 30, "workers are killed after 30 s"),
            (f"{IN_WORKER}.lifecycle", GONE, "their end takes 0 s"),
            (f"{WORKER}.template.spec.volumes.0.emptyDir", {}, "may fill its node"),
        ],
        TRAIN: [
            (f"{JOB}.workerGroupSpecs.0.rayStartParams.num-cpus", "2", "a trial of 4 cores has no room"),
        ],
        GPU_TRAIN: [
            (f"{JOB}.workerGroupSpecs.1.rayStartParams.num-gpus", "2", "Ray is told of 2 GPUs"),
        ],
        ALERTS: [
            ("spec.groups.0.rules.4.expr", "x >= 9", "does not go by max_replicas"),
        ],
    },
}
