#!/bin/sh
# Three machines on one: the network namespaces PREFIX-office, PREFIX-north and PREFIX-south.
#
#     namespaces.sh make PREFIX     namespaces.sh remove PREFIX
#
# A cable (veth) leads from the office to each of the others. These see the office at 192.0.2.1, and have no
# route to each other nor to anything else.
set -eu
office=$2-office

case $1 in
make)
  for name in office north south; do
    ip netns add "$2-$name"
    ip -n "$2-$name" link set lo up
  done
  for name in north south; do
    [ "$name" = north ] && own=192.0.2.2 || own=192.0.2.3
    ip -n "$office" link add "$name" type veth peer name uplink netns "$2-$name"
    ip -n "$office" address add 192.0.2.1 peer "$own" dev "$name"
    ip -n "$office" link set "$name" up
    ip -n "$2-$name" address add "$own" peer 192.0.2.1 dev uplink
    ip -n "$2-$name" link set uplink up
  done
  ;;
remove)
  for name in office north south; do ip netns delete "$2-$name" || true; done
  ;;
esac
