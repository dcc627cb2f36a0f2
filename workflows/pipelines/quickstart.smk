# Snakemake: the two commands that make generated data and run a spec, for any list of specs.
# Each rule runs wherever Snakemake puts it, and each run is distributed as its site says:
#
#     snakemake --snakefile quickstart.smk --cores 2 --config out=runs \
#       specs="[hep/quickstart,radio/vla_sim]" site=laptop size=100000
#
# runs/hep/quickstart.json is what `spectrum run --json` prints, with the digest; the saved run
# lies below runs/results.  With `image=spectrum-workflows.sif` and Snakemake's
# `--software-deployment-method apptainer` the commands run in the container image.
OUT = config.get("out", "runs")
SPECS = config.get("specs", ["hep/quickstart"])
SITE = config.get("site", "serial")
SIZE = f"--size {config['size']}" if "size" in config else ""
SET = " ".join(f"--set {setting}" for setting in config.get("set", []))

if "image" in config:

    container: config["image"]


wildcard_constraints:
    spec=r"\w+/\w+",


rule all:
    input:
        expand(OUT + "/{spec}.json", spec=SPECS),


rule data:
    output:
        directory(OUT + "/data/{spec}"),
    params:
        site=SITE,
        size=SIZE,
    shell:
        "spectrum data make {wildcards.spec} --site {params.site} --data {output} {params.size}"


rule run:
    input:
        OUT + "/data/{spec}",
    output:
        OUT + "/{spec}.json",
    params:
        site=SITE,
        settings=SET,
        results=OUT + "/results",
    shell:
        "spectrum run {wildcards.spec} --site {params.site} --data {input} --out {params.results}"
        " --json {params.settings} > {output}"
