using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Models.Lora;
using static TorchSharp.torch;

namespace MLNetExtension.Formats.Gguf;

/// <summary>A tensor of a GGUF file.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Shape">Its shape, rows first.</param>
/// <param name="Parts">What make its elements, one after the other, when it is written: so that no more of the model than one part is in memory a second time.</param>
/// <param name="IsExact">Whether it is float32 whatever the other matrices are.</param>
internal sealed record GgufTensor(string Name, long[] Shape, IReadOnlyList<Func<Tensor>> Parts, bool IsExact = false)
{
    /// <summary>The number of elements.</summary>
    public long Elements => Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>Returns what a tensor of Hugging Face's files is made of, outputs first.</summary>
    public static Tensor Read(MergedWeights weights, HuggingFaceTensor tensor)
    {
        Tensor whole = weights.Find(tensor.Parameter);
        return tensor.IsPart ? whole.narrow(0, tensor.FirstRow, tensor.Shape[0]) : whole;
    }

    /// <summary>What it is stored as in a file whose matrices are of a type.</summary>
    public GgufType TypeIn(GgufType file)
    {
        if (IsExact || Shape.Length == 1)
            return GgufType.F32;
        return file == GgufType.Q8_0 && Shape[^1] % Q8Blocks.Elements != 0 ? GgufType.F16 : file;
    }
}
