"""Manifests looked at without a cluster: what an API server, KubeRay's operator and the kubelet would say of them."""
