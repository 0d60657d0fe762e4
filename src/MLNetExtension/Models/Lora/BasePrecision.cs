namespace MLNetExtension.Models.Lora;

/// <summary>How the frozen weights of the linear layers under low-rank adapters are stored.</summary>
public enum BasePrecision
{
    /// <summary>In the type that the model computes in, see <see cref="Training.BatchingOptions.Precision"/>.</summary>
    Computation,

    /// <summary>bfloat16, 2 bytes a weight. Exact where the published weights are bfloat16, as most are.</summary>
    BFloat16,

    /// <summary>8-bit integers with a float32 scale for each row, an output of the layer: the largest absolute weight of the row is 127. 1 byte a weight; an error of at most 1/254 of that largest weight.</summary>
    /// <remarks>Source: T. Dettmers et al., "LLM.int8(): 8-bit matrix multiplication for transformers at scale", 2022, arXiv 2208.07339, section 2.1, the weights alone.</remarks>
    Int8,
}
