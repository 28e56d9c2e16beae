// One run in shards: nextflow run main.nf --sheet SHEET --out OUT --shards 4 --template cart-cd19fc
params.shards = 4
params.template = 'cart-cd19fc'

process SHARD {
    input:
    val number

    output:
    path "shard-${number}"

    script: // exit code 1: some samples failed, and their rows say why
    """
    cytocar gate ${file(params.sheet)} -t ${params.template} -o shard-${number} --shard ${number}/${params.shards} -j 1 || [ \$? -eq 1 ]
    """
}

process MERGE {
    publishDir params.out, mode: 'copy'

    input:
    path shards

    output:
    path 'run'

    script:
    """
    cytocar merge ${shards} -o run
    """
}

workflow {
    MERGE(SHARD(Channel.of(1..params.shards)).collect())
}
