#!/usr/bin/env bash
# Nightly job for one configuration: it makes new lists; on any failure the previous lists stay in place.
#
#     15 3 * * *  /opt/news/scripts/cron_news.sh /opt/news/news.yaml
#
# It prints nothing on success, so that cron mails only failures. It needs `interestrec` on PATH, or INTERESTREC=path.
set -euo pipefail

config="${1:?usage: cron_news.sh CONFIG [WORKSPACE]}"
interestrec="${INTERESTREC:-interestrec}"
shared=(--config "$config" ${2:+--workspace "$2"} --quiet)

# Retry while another run holds the lock, or after the loss of a worker (both 75); other failures need a person.
retry() {
    local status=0
    for wait in ${RETRY_SECONDS:-60 300 900} stop; do
        status=0
        "$@" || status=$?
        if [ "$status" != 75 ] || [ "$wait" = stop ]; then return "$status"; fi
        sleep "$wait"
    done
}

# If the gate of the configuration (evaluate.require, evaluate.not_worse_than) fails, `run` ends with status 1, so the
# lists below are not made and the previous lists stay in place.
retry "$interestrec" run "${shared[@]}"
retry "$interestrec" rank "${shared[@]}" --as-of now --users all
"$interestrec" prune "${shared[@]}" ${RETENTION_DAYS:+--retention-days "$RETENTION_DAYS"}
