namespace MLNetExtension.Models.Lora;

/// <summary>What the two matrices of low-rank adapters start from. Whichever it is, new adapters leave what a model computes as it is.</summary>
public enum LoraInitialization
{
    /// <summary>A uniform between -1 and 1 over the square root of the layer's inputs, as a linear layer's weight is (He et al. 2015), B of zeros. PEFT's <c>init_lora_weights</c> true.</summary>
    Kaiming,

    /// <summary>A normal with the standard deviation 1 / r, B of zeros. PEFT's <c>gaussian</c>.</summary>
    Gaussian,

    /// <summary>Both normal, in two halves of a random rotation of r dimensions, so that their product is zero; the rank is even. PEFT's <c>orthogonal</c>.</summary>
    Orthogonal,

    /// <summary>
    /// The r largest singular values and vectors of the layer's weight, in equal shares; what they give is taken off again, so that the weight itself stays as it is. Training begins along the directions that matter
    /// most in the weight. An adapter keeps two more matrices, which are not trained, and its files have the rank 2 r: what PEFT's <c>pissa</c> gives once it is converted.
    /// </summary>
    /// <remarks>Source: F. Meng et al., "PiSSA: principal singular values and singular vectors adaptation of large language models", 2024, arXiv 2404.02948.</remarks>
    Pissa,
}
