#!/usr/bin/env bash
# The night's run of one configuration: new lists if all goes well, last night's lists if anything does not.
#
#     15 3 * * *  /opt/news/scripts/cron_news.sh /opt/news/news.yaml
#
# Silent on success, so that cron mails on trouble alone. Needs `interestrec` on PATH, or INTERESTREC to say where it is.
set -euo pipefail

config="${1:?usage: cron_news.sh CONFIG [WORKSPACE]}"
interestrec="${INTERESTREC:-interestrec}"
shared=(--config "$config" ${2:+--workspace "$2"} --quiet)

# A run that another one is in the way of (75), or that a worker was lost to, is tried again; the rest is for people.
again() {
    local status=0
    for wait in ${RETRY_SECONDS:-60 300 900} stop; do
        status=0
        "$@" || status=$?
        if [ "$status" != 75 ] || [ "$wait" = stop ]; then return "$status"; fi
        sleep "$wait"
    done
}

# The gate of the configuration (evaluate.require, evaluate.not_worse_than) ends this with status 1: the lists below are
# then not made, and those of the night before stay where they are.
again "$interestrec" run "${shared[@]}"
again "$interestrec" rank "${shared[@]}" --as-of now --users all
"$interestrec" prune "${shared[@]}" ${RETENTION_DAYS:+--retention-days "$RETENTION_DAYS"}
