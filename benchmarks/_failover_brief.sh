# Run as: sh _failover_brief.sh
# The discovery loop of the brief, by its description, to be measured beside ours: every ten seconds
# ask Patroni's /master, look for the role with grep, and write the endpoint with kubectl patch.
while true; do
  if curl -s "$PATRONI/master" | grep -q 'role.*primary'; then
    kubectl --server="$SERVER" --namespace="$NAMESPACE" patch endpoints postgres-primary --patch \
      '{"subsets":[{"addresses":[{"ip":"'"$POD_IP"'"}],"ports":[{"port":'"$PORT"'}]}]}' --type=merge
  fi
  sleep 10
done
