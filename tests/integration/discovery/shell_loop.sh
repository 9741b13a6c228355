#!/bin/sh
# The sidecar that ours replaces, put together from what was written of it: every ten seconds ask
# Patroni's /master, look for role.*primary in the answer, and patch the Endpoints of
# postgres-primary with kubectl. The tests show what it does when things go wrong.
#
# PATRONI and ADDRESS say whose loop it is; SERVER, AUTHORITY, TOKEN and NAMESPACE where it patches.
while :; do
    if curl -s "$PATRONI/master" | grep -q 'role.*primary'; then
        kubectl --server "$SERVER" --certificate-authority "$AUTHORITY" --token "$TOKEN" \
            -n "$NAMESPACE" patch endpoints postgres-primary --type merge \
            -p "{\"subsets\":[{\"addresses\":[{\"ip\":\"$ADDRESS\"}],\"ports\":[{\"port\":5432}]}]}"
    fi
    sleep 10
done
