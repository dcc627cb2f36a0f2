# A Snakemake rule that makes one image for each range of channels; the jobs know nothing of each
# other, and run wherever Snakemake puts them:
#
#     snakemake --snakefile images.smk --cores 2 --config data=vla_sim.ms out=images
import sys

RANGES = ["0-4", "4-8", "8-12"]


rule all:
    input:
        expand(config["out"] + "/channels_{channels}.zarr", channels=RANGES),


rule image:
    input:
        config["data"],
    output:
        directory(config["out"] + "/channels_{start}-{stop}.zarr"),
    params:
        python=sys.executable,
        program=workflow.basedir + "/image_channels.py",
    shell:
        "{params.python} {params.program} {input} {wildcards.start} {wildcards.stop} {output}"
