// One run in shards: nextflow run main.nf --sheet SHEET --out OUT --shards 4 --template cart-cd19fc
params.sheet = null
params.out = 'out'
params.shards = 4
params.template = 'cart-cd19fc'

process SHARD {
    input:
    val number
    val shards
    val sheet
    val template

    output:
    path "shard-${number}"

    script: // exit code 1: some samples failed, and their rows say why
    """
    cytocar gate '${sheet}' -t '${template}' -o shard-${number} --shard ${number}/${shards} -j 1 || [ \$? -eq 1 ]
    """
}

process MERGE {
    publishDir params.out, mode: 'copy'

    input:
    path folders

    output:
    path 'run'

    script:
    """
    cytocar merge ${folders} -o run
    """
}

workflow {
    def shards = params.shards as Integer
    def sheet = file(params.sheet).toUriString() // whole, as each shard runs in a folder of its own
    MERGE(SHARD(channel.of(1..shards), shards, sheet, params.template).collect())
}
