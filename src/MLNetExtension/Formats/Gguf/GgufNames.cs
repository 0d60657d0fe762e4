using System.Text.RegularExpressions;
using MLNetExtension.Formats.HuggingFace;

namespace MLNetExtension.Formats.Gguf;

/// <summary>Translates Hugging Face's names of tensors to those of GGUF.</summary>
/// <param name="architecture">The architecture's name, for messages.</param>
/// <param name="names">Names outside the blocks, without <c>.weight</c> or <c>.bias</c>.</param>
/// <param name="blockNames">Names in a block, behind its number, and without the number of an expert.</param>
internal sealed partial class GgufNames(string architecture, IReadOnlyDictionary<string, string> names, IReadOnlyDictionary<string, string> blockNames)
{
    /// <summary>Translates the name of a tensor; the experts of a block share one.</summary>
    /// <exception cref="NotSupportedException">GGUF has no such tensor.</exception>
    public string Translate(HuggingFaceTensor tensor)
    {
        Match block = BlockName().Match(tensor.Name);
        Match name = block.Success ? block : OtherName().Match(tensor.Name);
        string layer = Expert().Replace(name.Groups["layer"].Value, ".experts.");
        if (!(block.Success ? blockNames : names).TryGetValue(layer, out string? translated))
            throw new NotSupportedException($"The model has a tensor '{tensor.Name}', which the architecture '{architecture}' of GGUF files has no place for.");
        return block.Success ? $"blk.{block.Groups["block"].Value}.{translated}.{name.Groups["kind"].Value}" : $"{translated}.{name.Groups["kind"].Value}";
    }

    [GeneratedRegex(@"^(?:layers|h)\.(?<block>\d+)\.(?<layer>.+)\.(?<kind>weight|bias)$")]
    private static partial Regex BlockName();

    [GeneratedRegex(@"^(?<layer>.+)\.(?<kind>weight|bias)$")]
    private static partial Regex OtherName();

    [GeneratedRegex(@"\.experts\.\d+\.")]
    private static partial Regex Expert();
}
