"""The ways to install the chart: values by name. Every rule is checked on each of them."""

import pathlib

import yaml

# The example values of the chart; they are installed in helm/tests/cluster too.
EXAMPLES = {
    file.name.removesuffix("-values.yaml"): yaml.safe_load(file.read_text())
    for file in sorted((pathlib.Path(__file__).resolve().parents[2] / "helm" / "kira-users" / "ci").glob("*-values.yaml"))
}

POSTGRES = {
    "mode": "postgres",
    "database": {"existingSecret": {"name": "kira-database"}},
    "keyRing": {"existingSecret": {"name": "kira-keys"}},
    "documents": {"url": "s3://kira-documents"},
    "verification": {"provider": "rules"},
}


def postgres(**changes):
    """The smallest values of mode postgres, with changes."""
    return {**POSTGRES, **changes}


EVERYTHING = postgres(
    fullnameOverride="kira",
    commonLabels={"team": "onboarding"},
    imagePullSecrets=[{"name": "registry"}],
    image={"repository": "registry.internal/kira-users", "digest": "sha256:" + "0" * 64},
    serviceAccount={"annotations": {"example.com/role": "kira-documents"}},
    database={
        "existingSecret": {"name": "kira-database", "key": "dsn"},
        "ca": {"name": "database-ca", "kind": "ConfigMap"},
        "maxConnections": 20,
    },
    migration={"waitSeconds": 1200},
    hostAliases=[{"ip": "10.1.2.3", "hostnames": ["vendor.internal"]}],
    deploymentAnnotations={"example.com/owner": "onboarding"},
    extraObjects=[{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}, "data": {"a": "b"}}],
    clients={"existingSecret": {"name": "kira-clients"}},
    verification={
        "provider": "http",
        "deadline": "12h",
        "vendor": {"url": "https://vendor.example.com/", "timeout": "20s", "existingSecret": {"name": "vendor"}},
    },
    sinks={
        "nats": {"existingSecret": {"name": "nats"}},
        "amqp": {"existingSecret": {"name": "rabbitmq", "key": "amqps"}},
        "redis": {"existingSecret": {"name": "redis"}},
    },
    tls={
        "rest": {"secretName": "rest-tls", "clientCA": {"secretName": "callers-ca"}},
        "grpc": {"secretName": "grpc-tls", "clientCA": {"secretName": "callers-ca"}},
    },
    server={
        "shutdownDelaySeconds": 10,
        "shutdownTimeoutSeconds": 45,
        "requestTimeout": "20s",
        "maxBodyBytes": 33554432,
        "rateLimitPerSecond": 50,
        "maxConcurrentRequests": 512,
        "maxConnections": 4096,
        "corsOrigins": "https://app.example.com",
    },
    webhooks={"allow": "10.1.0.0/16, fd00::/8, 192.168.7.7", "timeout": "10s"},
    auth={
        "tokenLifetime": "30m",
        "tokenIssuer": "users.example.com",
        "jwks": {
            "url": "https://id.example.com/jwks",
            "issuer": "https://id.example.com",
            "audience": "kira",
            "clientIdClaim": "azp",
        },
    },
    review={"fourEyes": True},
    responses={"maskNumbers": True},
    telemetry={
        "log": "info,kira_users=debug",
        "otlp": {"endpoint": "http://collector.observability:4317", "protocol": "grpc", "metrics": True},
        "traceSampleRatio": 0.1,
    },
    products=[{"id": "7be91e3b-be09-48a6-8778-b856d5e0a97d", "code": "virtual_account", "name": 'Virtual "Account"'}],
    config={"KIRA_WEBHOOK_SCHEDULE": "0s,5s,5m", "KIRA_EVENT_STREAMS_PER_CLIENT": 20},
    extraEnv=[{"name": "AWS_REGION", "value": "eu-west-1"}],
    extraEnvFrom=[{"configMapRef": {"name": "bucket"}}],
    extraVolumes=[{"name": "proxy-ca", "configMap": {"name": "proxy-ca"}}],
    extraVolumeMounts=[{"name": "proxy-ca", "mountPath": "/etc/proxy-ca"}],
    podAnnotations={"example.com/team": "onboarding"},
    podLabels={"tier": "backend"},
    api={
        "autoscaling": {"enabled": True},
        "podAntiAffinity": "hard",
        "nodeSelector": {"pool": "apps"},
        "tolerations": [{"key": "apps", "operator": "Exists"}],
        "priorityClassName": "high",
    },
    worker={"autoscaling": {"enabled": True}, "podDisruptionBudget": {"maxUnavailable": "50%"}},
    service={
        "grpc": {"headless": True},
        "rest": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "loadBalancerSourceRanges": ["203.0.113.0/24"],
            "annotations": {"example.com/dns": "users"},
        },
    },
    ingress={
        "enabled": True,
        "className": "nginx",
        "annotations": {"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS"},
        "tls": [{"hosts": ["users.example.com"], "secretName": "users-tls"}],
    },
    gateway={
        "httpRoute": {
            "enabled": True,
            "parentRefs": [{"name": "public"}],
            "hostnames": ["users.example.com"],
            "timeouts": {"request": "35s"},
        },
        "grpcRoute": {"enabled": True, "parentRefs": [{"name": "internal", "namespace": "gateways"}]},
    },
    networkPolicy={
        "ingress": {"rest": {"anyone": False, "from": [{"namespaceSelector": {"matchLabels": {"role": "edge"}}}]}},
        "egress": {
            "database": {"to": [{"ipBlock": {"cidr": "10.9.0.0/24"}}], "port": 6432},
            "extra": [{"to": [{"ipBlock": {"cidr": "10.2.0.0/16"}}], "ports": [{"port": 8443, "protocol": "TCP"}]}],
        },
    },
    metrics={
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboard": {"enabled": True, "annotations": {"grafana_folder": "Services"}},
    },
)

MODES = {
    "sqlite": {},
    "sqlite without a volume": {"sqlite": {"persistence": {"enabled": False}}},
    "sqlite with secrets": {
        "keyRing": {"existingSecret": {"name": "kira-keys"}},
        "clients": {"existingSecret": {"name": "kira-clients"}},
        "sqlite": {"persistence": {"existingClaim": "kira", "retain": False}},
    },
    "sqlite with TLS": {"tls": {"rest": {"secretName": "rest-tls"}}},
    "postgres": POSTGRES,
    "postgres with everything on": EVERYTHING,
    "postgres without workers": postgres(worker={"enabled": False}, networkPolicy={"egress": {"enabled": False}}),
    "postgres with one pod": postgres(api={"replicas": 1}, worker={"replicas": 1}),
    "postgres with a volume for documents": postgres(
        documents={"persistence": {"enabled": True, "storageClass": "shared"}}
    ),
    "postgres without a policy": postgres(
        networkPolicy={"enabled": False}, migration={"enabled": False}, tests={"enabled": False}
    ),
    "External Secrets": postgres(
        database={},
        keyRing={},
        verification={"provider": "http", "vendor": {"url": "https://vendor.example.com/"}},
        externalSecrets={
            "enabled": True,
            "secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
            "database": {"key": "kira/database", "property": "url"},
            "keyRing": {"key": "kira/keys"},
            "vendor": {"key": "kira/vendor"},
            "clients": {"key": "kira/clients"},
        },
    ),
    "Gateway API": postgres(
        gateway={
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
            "grpcRoute": {"enabled": True, "parentRefs": [{"name": "internal"}]},
        }
    ),
    "PodMonitor": postgres(
        metrics={
            "podMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True, "disabled": ["KiraUsersSlow"]},
        }
    ),
    **{f"example {name}": values for name, values in EXAMPLES.items()},
}
