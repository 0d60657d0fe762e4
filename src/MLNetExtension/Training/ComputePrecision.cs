namespace MLNetExtension.Training;

/// <summary>What a model computes in while it trains. Master weights, accumulated gradients and optimizer state are float32 either way.</summary>
public enum ComputePrecision
{
    /// <summary>float32 throughout.</summary>
    Float32,

    /// <summary>bfloat16 in the model, for devices that compute faster in it.</summary>
    BFloat16,
}
