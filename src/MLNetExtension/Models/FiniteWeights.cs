using MLNetExtension.Safetensors;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace MLNetExtension.Models;

/// <summary>Looks for weights that are not numbers, or infinite: what a training that diverged leaves, and what nothing can be computed with.</summary>
internal static class FiniteWeights
{
    // So that the answers for a large tensor take little memory beside it.
    private const long PieceLength = 1 << 22;

    /// <summary>Describes the first parameter that is not finite, in one pass over the weights; null where all are.</summary>
    /// <param name="model">The model; its buffers may hold anything.</param>
    /// <param name="publishedNames">For parameters, their names in published files; a custom module's go by their names in the module.</param>
    public static string? FindFault(CausalLanguageModel model, ParameterNames publishedNames)
    {
        foreach ((string name, Parameter parameter) in (model.Custom?.Module ?? model).named_parameters())
        {
            long count = parameter.is_floating_point() ? CountNonFinite(parameter) : 0;
            if (count == 0)
                continue;
            return FormattableString.Invariant($"{count} of {parameter.numel()} values of its weight '{string.Join(", ", publishedNames.Of(name))}' are not finite numbers");
        }
        return null;
    }

    /// <summary>Counts the values of a tensor that are not finite.</summary>
    /// <param name="values">Of any shape and any floating-point type.</param>
    public static long CountNonFinite(Tensor values)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Tensor flat = values.detach().flatten();
        long length = flat.numel(), finite = 0;
        for (long start = 0; start < length; start += PieceLength)
        {
            using var piece = NewDisposeScope();
            Tensor next = flat.narrow(0, start, Math.Min(PieceLength, length - start));
            finite += FiniteBits.AreFinite(next) ? next.numel() : next.isfinite().sum().item<long>();
        }
        return length - finite;
    }
}
