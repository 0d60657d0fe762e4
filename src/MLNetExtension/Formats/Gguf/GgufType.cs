namespace MLNetExtension.Formats.Gguf;

/// <summary>How a GGUF file stores a model's matrices. Vectors, the routers of experts and GPT-2's positions are always float32, as llama.cpp's own converter has them.</summary>
public enum GgufType
{
    /// <summary>float32: what the model has, bit for bit. 4 bytes a weight.</summary>
    F32,

    /// <summary>float16, rounded to nearest; up to 65,504. 2 bytes a weight.</summary>
    F16,

    /// <summary>bfloat16, rounded to nearest: float32's range with 8 bits of precision. 2 bytes a weight.</summary>
    BF16,

    /// <summary>Blocks of 32 whole numbers from -127 to 127 with a float16 scale. 1.06 bytes a weight. A matrix whose rows are no multiple of 32 long is stored as <see cref="F16"/>.</summary>
    Q8_0,
}
