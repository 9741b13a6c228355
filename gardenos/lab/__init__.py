"""A highly available PostgreSQL on one machine, to break: etcd, Patroni, HAProxy, discovery sidecars."""
