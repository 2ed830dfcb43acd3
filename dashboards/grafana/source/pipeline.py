"""Pipeline health: for the operator. Is everything that agents accepted in the tables, and how old is what people see?"""

from panels import AMBER, GREEN, GREY, RED, dashboard, lines, prom, prom_variable, stat, value_map

HERE = '{instance=~"$instance"}'


def build() -> dict:
    now = [
        stat(
            "Servers that answer", "How many of the scraped servers answered the last scrape: sum of up over the job.",
            prom('sum(up{job="medfleet", instance=~"$instance"})', instant=True), "none", "no server is scraped", thresholds=[(None, RED), (1, GREEN)],
        ),
        stat(
            "Age of the numbers", "Age of the newest cut that the api has open. Every page and query answers from this cut.",
            prom(f"max(medfleet_api_cut_age_seconds{HERE})", instant=True), "s", "no cut was made yet", thresholds=[(None, GREEN), (60, AMBER), (600, RED)],
        ),
        stat(
            "Records that wait", "Log records that the newest cut does not contain.",
            prom(f"sum(medfleet_api_log_lag_records{HERE})", instant=True), "short", "no api is scraped", thresholds=[(None, GREEN), (10_000, AMBER), (1_000_000, RED)],
        ),
        stat(
            "Facts unaccounted for", "Received minus appended, quarantined and held. Anything but 0 for ten minutes is a defect.",
            prom('sum(medfleet:ingest_unaccounted_facts{instance=~"$instance"})', instant=True), "none", "no ingest is scraped",
            thresholds=[(None, RED), (0, GREEN), (1, AMBER)],
        ),
        stat(
            "Facts missing", "Facts that later facts name and that are not in the log: gaps by arithmetic, their time is unknown.",
            prom(f"sum(medfleet_processor_missing_facts{HERE})", instant=True), "none", "no processor is scraped", thresholds=[(None, GREEN), (1, AMBER)],
        ),
        stat(
            "Progress", "The processor's watchdog: stalled means work and no progress, after which the process ends itself.",
            prom(f"max(medfleet_processor_stall_state{HERE})", instant=True), "none", "no processor is scraped",
            mappings=value_map({"0": ("moving", GREEN), "1": ("stalled", RED)}), thresholds=[(None, GREEN), (1, RED)],
        ),
    ]
    flow = [
        lines(
            "Facts received, by fate", "Rate of facts over the interval. Received is always appended plus quarantined plus held.",
            [prom('sum by (fate) (rate(medfleet_ingest_facts_total{instance=~"$instance"}[$__rate_interval]))', "{{fate}}")], "cps", "no ingest is scraped",
        ),
        lines(
            "Facts folded, by verdict", "Rate of facts read from the log. Duplicates are normal after a lost link; conflicts never are.",
            [prom('sum by (verdict) (rate(medfleet_processor_facts_total{instance=~"$instance"}[$__rate_interval]))', "{{verdict}}")], "cps", "no processor is scraped",
        ),
        lines(
            "Freshness", "Age of the newest record of the log when its cut was made, and records that wait.",
            [prom(f"medfleet_processor_freshness_seconds{HERE}", "age {{instance}}")], "s", "no processor is scraped",
        ),
        lines(
            "Lag", "Log records that wait for the processor, by its last report.",
            [prom(f"medfleet_processor_lag_records{HERE}", "{{instance}}")], "short", "no processor is scraped",
        ),
    ]
    times = [
        lines(
            "From batch to durable append", "Median and 95th percentile of the time from a batch's arrival to the log's acknowledgement.",
            [
                prom('histogram_quantile(0.5, sum by (le) (rate(medfleet_ingest_admit_seconds_bucket{instance=~"$instance"}[$__rate_interval])))', "p50"),
                prom('histogram_quantile(0.95, sum by (le) (rate(medfleet_ingest_admit_seconds_bucket{instance=~"$instance"}[$__rate_interval])))', "p95"),
            ],
            "s", "no batch arrived in this time",
        ),
        lines(
            "Flush", "Median and 95th percentile of the time from the start of a flush to its cut.",
            [
                prom('histogram_quantile(0.5, sum by (le) (rate(medfleet_processor_flush_seconds_bucket{instance=~"$instance"}[$__rate_interval])))', "p50"),
                prom('histogram_quantile(0.95, sum by (le) (rate(medfleet_processor_flush_seconds_bucket{instance=~"$instance"}[$__rate_interval])))', "p95"),
            ],
            "s", "no flush in this time",
        ),
        lines(
            "Answers of the api, 95th percentile", "By route; streams of live events are not answers.",
            [prom('medfleet:api_answer_seconds:p95{instance=~"$instance"}', "{{route}}")], "s", "nobody asked in this time",
        ),
        lines(
            "Look-ups in the archive", "Rate of questions that late facts make the fold ask about older days.",
            [prom('sum(rate(medfleet_processor_archive_lookups_total{instance=~"$instance"}[$__rate_interval]))', "look-ups")], "cps", "no processor is scraped",
        ),
    ]
    trouble = [
        lines(
            "Quarantined, by reason", "Payloads that no second try would make acceptable. They lie whole in the quarantine topic.",
            [prom('sum by (reason) (increase(medfleet_ingest_quarantined_total{instance=~"$instance"}[$__interval]))', "{{reason}}")], "short", "nothing was ever refused",
        ),
        lines(
            "Restores and fences", "Times a worker forgot its memory and restored, and times another writer was found in a table.",
            [
                prom('sum(increase(medfleet_processor_restarts_total{instance=~"$instance"}[$__interval]))', "restores"),
                prom('sum(increase(medfleet_processor_fences_total{instance=~"$instance"}[$__interval]))', "fences"),
            ],
            "short", "no processor is scraped",
        ),
        lines(
            "Refusals at the doors", "Wrong passwords, messages refused because too many were in work, appends that were given up.",
            [
                prom('sum(increase(medfleet_ingest_refused_clients_total{instance=~"$instance"}[$__interval]))', "wrong name or password"),
                prom('sum(increase(medfleet_ingest_busy_refusals_total{instance=~"$instance"}[$__interval]))', "busy"),
                prom('sum(increase(medfleet_ingest_append_failures_total{instance=~"$instance"}[$__interval]))', "append given up"),
            ],
            "short", "no ingest is scraped",
        ),
    ]
    agents = [
        lines(
            "Agents' links", "1 while an agent has its broker. A cut-off agent goes on observing; its devices are unknown meanwhile.",
            [prom("medfleet_agent_link_state", "{{agent}}")], "none", "no agent is scraped", mappings=value_map({"0": ("cut off", GREY), "1": ("linked", GREEN)}), most=1,
        ),
        lines(
            "Facts without receipt", "Facts that are safe in an agent's journal and not yet known to be in the log.",
            [prom("medfleet_agent_unreceipted_facts", "{{agent}}")], "short", "no agent is scraped",
        ),
        lines(
            "Oldest fact without receipt", "Age of the oldest fact that an agent still keeps.",
            [prom("medfleet_agent_oldest_unreceipted_seconds", "{{agent}}")], "s", "no agent is scraped",
        ),
        lines(
            "Journals", "Bytes of journal segments on each agent's disk.",
            [prom("medfleet_agent_journal_used_bytes", "{{agent}}")], "bytes", "no agent is scraped",
        ),
    ]
    machine = [
        lines("Memory", "Resident memory of each process.", [prom("process_resident_memory_bytes", "{{job}} {{instance}}")], "bytes", "nothing is scraped"),
        lines(
            "Disk of the data folder", "What is free, and what each room takes. Below a tenth free an alert fires.",
            [prom(f"medfleet_house_free_bytes{HERE}", "free"), prom(f"medfleet_house_used_bytes{HERE}", "{{room}}")], "bytes", "no server is scraped",
        ),
        lines("CPU", "Cores in use by each process.", [prom("rate(process_cpu_seconds_total[$__rate_interval])", "{{job}} {{instance}}")], "none", "nothing is scraped"),
    ]
    rows = [("Now", now), ("Flow", flow), ("Times", times), ("Trouble", trouble), ("Agents", agents), ("Processes", machine)]
    instance = prom_variable("instance", "Server", 'label_values(up{job="medfleet"}, instance)')
    return dashboard("medfleet-pipeline", "Pipeline health", __doc__, rows, [instance], "now-6h", "30s")
