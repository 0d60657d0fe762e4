using MLNetExtension.Tokenization;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>What the configuration files of a published model say of it.</summary>
/// <param name="Architecture">The network and its sizes.</param>
/// <param name="SpecialTokens">The ids that begin and end a text.</param>
internal sealed record PublishedDescription(IArchitecture Architecture, GenerationConfiguration SpecialTokens)
{
    /// <summary>Makes what stands in place of a tokenizer where the model has none.</summary>
    /// <exception cref="InvalidDataException">No id ends a text.</exception>
    public TokenIdsOnly CreateIdsOnly() => new(
        Architecture.VocabularySize,
        SpecialTokens.BeginOfTextId,
        SpecialTokens.EndOfTextIds is [int end, ..] ? end : throw new InvalidDataException($"The model has no tokenizer files, and neither {GenerationConfiguration.FileName} nor "
            + $"{HuggingFaceConfiguration.FileName} names the id that ends a text ('eos_token_id')."));
}
