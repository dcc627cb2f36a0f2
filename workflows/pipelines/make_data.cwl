#!/usr/bin/env cwl-runner
# CWL tool: the generated data of a spec, with the command `spectrum data make`.
cwlVersion: v1.2
class: CommandLineTool
label: Generated data for a spec
hints:
  SoftwareRequirement:
    packages:
      - package: spectrum-workflows
baseCommand: [spectrum, data, make]
arguments: [--data=data]
inputs:
  spec:
    type: string
    doc: A shipped spec by its name, such as hep/quickstart or radio/vla_sim.
    inputBinding: {position: 1}
  site:
    type: string
    default: serial
    doc: Where to compute, a site by its name.
    inputBinding: {prefix: --site}
  size:
    type: int?
    doc: Events per sample, or visibilities; without it, what the spec says.
    inputBinding: {prefix: --size}
outputs:
  data:
    type: Directory
    outputBinding: {glob: data}
