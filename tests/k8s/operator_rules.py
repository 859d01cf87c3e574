"""What KubeRay 1.7's operator refuses although its CRDs let it pass, and what it takes and then trips over.

The rules are those of the operator's validation (ray-operator/controllers/ray/utils/validation.go) as far as anything here
touches them, said anew; traps are marked by the issue that describes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.k8s.documents import Document, Documents, ray_clusters, serve_config, templates, title

_LONGEST_CLUSTER = 53  # 63 less "-serve-svc"
_SUFFIX = 6  # of the names of clusters that RayServices and RayJobs have
_LONGEST_NAME = {
    "RayCluster": _LONGEST_CLUSTER,
    "RayService": _LONGEST_CLUSTER - _SUFFIX,
    "RayJob": _LONGEST_CLUSTER - _SUFFIX,
}
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_FIRST_WITH_TOKENS = (2, 52)
_OPERATORS_OWN = {
    "RAY_CLUSTER_NAME", "RAY_CLUSTER_NAMESPACE", "RAY_CLOUD_INSTANCE_ID", "RAY_NODE_TYPE_NAME", "KUBERAY_GEN_RAY_START_CMD",
    "RAY_enable_autoscaler_v2", "RAY_REDIS_ADDRESS", "REDIS_PASSWORD", "REDIS_USERNAME", "RAY_external_storage_namespace",
}  # fmt: skip
_SELECTORS_OWN = {"app.kubernetes.io/name", "app.kubernetes.io/created-by"}
_UPGRADES = ("NewCluster", "NewClusterWithIncrementalUpgrade", "None")
_ORDER = ("DeleteWorkers", "DeleteCluster", "DeleteSelf")


def faults(documents: Documents) -> list[str]:
    """All of a set of documents."""
    found = [
        f"{title(document)}: {sentence}"
        for document, cluster in ray_clusters(documents)
        for sentence in (*_cluster(cluster), *_of_kind(document))
    ]
    return found + list(_serving(documents))


def _of_kind(document: Document) -> Iterator[str]:
    kind, name = document["kind"], document["metadata"]["name"]
    if len(name) > _LONGEST_NAME[kind]:
        yield f"the name has {len(name)} letters; at most {_LONGEST_NAME[kind]} leave room for what KubeRay puts behind it"
    if not _NAME.fullmatch(name):
        yield "the name has to begin with a letter and have nothing but small letters, digits and hyphens"
    if kind == "RayService":
        yield from _service(document["spec"])
    if kind == "RayJob":
        yield from _job(document["spec"])


def _version(cluster: Document) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", str(cluster.get("rayVersion", "")))[:2])


def _cluster(cluster: Document) -> Iterator[str]:
    autoscaled = bool(cluster.get("enableInTreeAutoscaling"))
    options = cluster.get("autoscalerOptions", {})
    v2 = autoscaled and options.get("version") == "v2"
    version = _version(cluster)
    if version < _FIRST_WITH_TOKENS and cluster.get("authOptions", {}).get("mode") == "token":
        yield f"tokens need a rayVersion of 2.52 or later, not {cluster.get('rayVersion')!r}"
    if options and not autoscaled:
        yield "autoscalerOptions without enableInTreeAutoscaling do nothing"
    for feature in ("networkPolicy", "tlsOptions", "historyServerOptions"):
        if feature in cluster:
            yield f"{feature} is an alpha feature of KubeRay 1.7, and off"
    redis = cluster.get("gcsFaultToleranceOptions")
    if redis is not None:
        if redis.get("backend") == "rocksdb":
            yield "gcsFaultToleranceOptions: rocksdb is an alpha feature of KubeRay 1.7, and off"
        elif "storage" in redis:
            yield "gcsFaultToleranceOptions.storage is for rocksdb alone"
        if "redis-password" in cluster["headGroupSpec"].get("rayStartParams", {}):
            yield "redis-password has to be gcsFaultToleranceOptions.redisPassword"
    for group, spec, template in templates(cluster):
        pod = template["spec"]
        if v2 and pod.get("restartPolicy", "Never") != "Never":
            yield f"{group}: restartPolicy is {pod['restartPolicy']}; autoscaler v2 needs Never, or none"
        parameters = spec.get("rayStartParams", {})
        if {"num-cpus", "num-gpus", "memory", "resources"} & set(parameters) and spec.get("resources"):
            yield f"{group}: resources are said twice, in rayStartParams and in resources"
        if not str(parameters.get("num-cpus", "0")).isdecimal():
            yield f"{group}: num-cpus is {parameters['num-cpus']!r}; Ray's autoscaler reads whole numbers alone"
        if "labels" in parameters:
            yield f"{group}: labels belong into the group's labels, not into rayStartParams"
        own = {variable["name"] for variable in pod["containers"][0].get("env", [])} & _OPERATORS_OWN
        if own:
            yield f"{group}: {', '.join(sorted(own))} is KubeRay's to set"
        taken = set(template.get("metadata", {}).get("labels", {})) & _SELECTORS_OWN
        if taken:
            yield f"{group}: the label {', '.join(sorted(taken))} is what KubeRay's services select the head by"
        if pod["containers"][0].get("command"):
            yield f"{group}: a command of its own would run before `ray start`"
        if group != "head":
            yield from _worker_group(group, spec, autoscaled, v2)


def _worker_group(group: str, spec: Document, autoscaled: bool, v2: bool) -> Iterator[str]:
    least, most = spec.get("minReplicas"), spec.get("maxReplicas")
    if not autoscaled and (least is None or most is None):
        yield f"{group}: minReplicas and maxReplicas are both needed without the autoscaler"
    if (least or 0) > (most if most is not None else 2**31):
        yield f"{group}: minReplicas {least} is above maxReplicas {most}"
    if not (least or 0) <= spec.get("replicas", 0) <= (most if most is not None else 2**31):
        yield f"{group}: replicas {spec.get('replicas')} is not between minReplicas and maxReplicas"
    if autoscaled and spec.get("suspend"):
        yield f"{group}: suspend does not go with the autoscaler"
    if spec.get("idleTimeoutSeconds") is not None:
        if not v2:
            yield f"{group}: idleTimeoutSeconds needs autoscalerOptions.version v2"
        elif spec["idleTimeoutSeconds"] < 0:
            yield f"{group}: idleTimeoutSeconds is negative"


def _service(spec: Document) -> Iterator[str]:
    cluster = spec["rayClusterConfig"]
    if cluster["headGroupSpec"].get("headService", {}).get("metadata", {}).get("name"):
        yield "a head service of a fixed name hangs upgrades (kuberay#2433)"
    if cluster.get("authOptions", {}).get("enableK8sTokenAuth"):
        yield "enableK8sTokenAuth is not for RayServices"
    if cluster.get("gcsFaultToleranceOptions", {}).get("externalStorageNamespace"):
        yield "externalStorageNamespace would be shared by both clusters of an upgrade"
    head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
    if not any(port.get("name") == "serve" for port in head.get("ports", [])):
        yield "the head's container names no port `serve`, without which KubeRay makes no service for Serve"
    if spec.get("rayClusterDeletionDelaySeconds", 60) < 0:
        yield "rayClusterDeletionDelaySeconds is negative"
    upgrade = spec.get("upgradeStrategy", {})
    kind = upgrade.get("type", "NewCluster")
    if kind not in _UPGRADES:
        yield f"upgradeStrategy.type is {kind}; KubeRay takes {', '.join(_UPGRADES)}"
    options = upgrade.get("clusterUpgradeOptions")
    if kind == "NewClusterWithIncrementalUpgrade":
        if not cluster.get("enableInTreeAutoscaling"):
            yield "upgrades by shares need the autoscaler"
        if not options:
            yield "upgrades by shares need clusterUpgradeOptions"
        else:
            surge, step = options.get("maxSurgePercent", 100), options.get("stepSizePercent", -1)
            if not 0 < surge <= 100:
                yield f"maxSurgePercent is {surge}; without room for more the upgrade stands still (kuberay#4239)"
            if not 0 < step <= surge:
                yield f"stepSizePercent is {step}; give one from 1 to maxSurgePercent, {surge}"
            if not options.get("intervalSeconds", 0) > 0:
                yield "intervalSeconds has to be above 0"
            if not options.get("gatewayClassName"):
                yield "gatewayClassName is needed"
    elif options:
        yield f"clusterUpgradeOptions do nothing with {kind}"


def _job(spec: Document) -> Iterator[str]:
    shutdown, suspended = bool(spec.get("shutdownAfterJobFinishes")), bool(spec.get("suspend"))
    cluster = spec["rayClusterSpec"]
    if suspended and not shutdown:
        yield "a job that can be suspended needs shutdownAfterJobFinishes"
    if spec.get("ttlSecondsAfterFinished", 0) and not shutdown:
        yield "ttlSecondsAfterFinished needs shutdownAfterJobFinishes"
    if spec.get("ttlSecondsAfterFinished", 0) < 0 or spec.get("backoffLimit", 0) < 0:
        yield "ttlSecondsAfterFinished and backoffLimit must not be negative"
    for deadline in ("activeDeadlineSeconds", "preRunningDeadlineSeconds"):
        if spec.get(deadline, 1) <= 0:
            yield f"{deadline} has to be above 0"
    if spec.get("submissionMode") == "SidecarMode" and (spec.get("submitterPodTemplate") or spec.get("submitterConfig")):
        yield "SidecarMode takes no template of a submitter"
    if spec.get("submissionMode") == "InteractiveMode" and spec.get("backoffLimit"):
        yield "InteractiveMode tries nothing again"
    if cluster.get("authOptions", {}).get("enableK8sTokenAuth"):
        yield "enableK8sTokenAuth is not for RayJobs"
    if suspended and cluster.get("enableInTreeAutoscaling"):
        yield "Kueue counts clusters of a fixed size; a job in its queue can't have the autoscaler"
    for group in cluster["workerGroupSpecs"] if suspended else []:
        if not group["minReplicas"] == group["replicas"] == group["maxReplicas"]:
            yield f"{group['groupName']}: Kueue counts clusters of a fixed size, and replicas, least and most differ"
    strategy = spec.get("deletionStrategy")
    if strategy is not None:
        yield from _deletion(strategy, shutdown, bool(cluster.get("enableInTreeAutoscaling")))
    elif not shutdown:
        yield "nothing deletes the cluster when the job has ended"


def _deletion(strategy: Document, shutdown: bool, autoscaled: bool) -> Iterator[str]:
    rules = strategy.get("deletionRules", [])
    if rules and shutdown:
        yield "deletionRules and shutdownAfterJobFinishes exclude each other"
    times: dict[str, dict[str, int]] = {}
    for rule in rules:
        policy, condition = rule["policy"], rule["condition"]
        status = condition.get("jobStatus") or condition.get("jobDeploymentStatus") or "?"
        if status == "FAILED":
            yield f"{policy} goes by jobStatus FAILED, which a deadline does not set; go by jobDeploymentStatus Failed"
        if policy == "DeleteWorkers" and autoscaled:
            yield "DeleteWorkers does not go with the autoscaler"
        if policy in times.setdefault(status, {}):
            yield f"{policy} after {status} is there twice"
        times[status][policy] = condition.get("ttlSeconds", 0)
    for status, when in (("SUCCEEDED", "it succeeded"), ("Failed", "a deadline, or a submission that failed")):
        if rules and not {"DeleteCluster", "DeleteSelf"} & set(times.get(status, {})):
            yield f"nothing deletes the cluster after {when} (kuberay#5184)"
    for status, by_policy in times.items():
        after = [by_policy[policy] for policy in _ORDER if policy in by_policy]
        if after != sorted(after):
            yield f"after {status} workers have to go first, then the cluster, then the job"


def _serving(documents: Documents) -> Iterator[str]:
    config = serve_config(documents)
    if config is None:
        return
    if config["http_options"]["host"] != "0.0.0.0":
        yield f"Serve listens at {config['http_options']['host']}, where no Service reaches it"
    for application in config["applications"]:
        for deployment in application["deployments"]:
            scaling = deployment.get("autoscaling_config")
            if scaling is None:
                yield f"{deployment['name']} does not scale; upgrades and load need autoscaling_config"
                continue
            if scaling.get("target_ongoing_requests", 2) == deployment.get("max_ongoing_requests", 5) == 1:
                yield f"{deployment['name']}: target and most ongoing requests are both 1, which never scales (ray#24793)"
            if (
                not scaling["min_replicas"]
                <= scaling.get("initial_replicas", scaling["min_replicas"])
                <= scaling["max_replicas"]
            ):
                yield f"{deployment['name']}: initial_replicas is not between min_replicas and max_replicas"
            if deployment["max_ongoing_requests"] <= deployment["user_config"]["limits"]["concurrent"]:
                yield f"{deployment['name']}: max_ongoing_requests is not above limits.concurrent; refusals lack Retry-After"
    incremental = any(
        document["kind"] == "RayService"
        and document["spec"].get("upgradeStrategy", {}).get("type") == "NewClusterWithIncrementalUpgrade"
        for document in documents
    )
    for document in documents:
        if incremental and document["kind"] in ("Ingress", "HTTPRoute"):
            yield f"{title(document)}: goes past KubeRay's Gateway, by whose shares upgrades move traffic"
