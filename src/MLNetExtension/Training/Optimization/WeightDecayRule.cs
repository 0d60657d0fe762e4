namespace MLNetExtension.Training.Optimization;

/// <summary>Which parameters weight decay acts on, before the exclusions by name.</summary>
public enum WeightDecayRule
{
    /// <summary>Parameters of two and more dimensions: matrices and embeddings decay, biases and the weights of norms do not. The rule of nanoGPT, and the only one of earlier versions.</summary>
    Matrices,

    /// <summary>
    /// The rule of Hugging Face's <c>Trainer</c> (<c>get_decay_parameter_names</c>), by the names of published files: biases, the parameters of <c>LayerNorm</c> modules, and what is called
    /// <c>layernorm</c>, <c>rmsnorm</c>, <c>norm</c> or <c>..._norm</c> do not decay. Its releases of 2025 before that knew no <c>norm</c>, so the last norm of a Llama decayed: that is
    /// <see cref="All"/> with the exclusions <c>*bias*</c>, <c>*layernorm*</c> and <c>*rmsnorm*</c>.
    /// </summary>
    HuggingFace,

    /// <summary>Every trained parameter.</summary>
    All,

    /// <summary>The weights of linear layers, experts' and adapters' among them, and an untied head: not embeddings, of tokens or of positions, and so no tied head, not norms and not biases.</summary>
    LinearWeights,
}
