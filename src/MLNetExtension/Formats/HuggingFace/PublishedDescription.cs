using MLNetExtension.Tokenization;

namespace MLNetExtension.Formats.HuggingFace;

/// <summary>What the configuration files of a published model say of it.</summary>
/// <param name="Architecture">The network and its sizes.</param>
/// <param name="SpecialTokens">The ids that begin and end a text.</param>
internal sealed record PublishedDescription(IArchitecture Architecture, GenerationConfiguration SpecialTokens)
{
    /// <summary>Makes what stands in place of a tokenizer where the model has none.</summary>
    /// <exception cref="InvalidDataException">No id ends a text, or an id is not in the vocabulary.</exception>
    public TokenIdsOnly CreateIdsOnly()
    {
        if (SpecialTokens.EndOfTextIds is not [int end, ..])
            throw new InvalidDataException($"The model has no tokenizer files, and neither {GenerationConfiguration.FileName} nor {HuggingFaceConfiguration.FileName} names the id that ends a text ('eos_token_id').");
        foreach (int id in SpecialTokens.EndOfTextIds.Append(SpecialTokens.BeginOfTextId ?? 0))
        {
            if (id >= Architecture.VocabularySize)
                throw new InvalidDataException($"The model has no tokenizer files, and {GenerationConfiguration.FileName} or {HuggingFaceConfiguration.FileName} names the id {id} as that which begins or ends a text, expected ids below the 'vocab_size', {Architecture.VocabularySize}.");
        }
        return new TokenIdsOnly(Architecture.VocabularySize, SpecialTokens.BeginOfTextId, end);
    }
}
