namespace Microsoft.ML.Transforms.Text;

/// <summary>
/// The marks that text normalization takes off. Runtimes without globalization data do not decompose characters, so the letters of Latin, Greek and
/// Cyrillic that carry marks are listed; the genuine package knows the same ones and no others.
/// </summary>
internal static class Diacritics
{
    // Each word is a letter, then its forms with marks.
    private const string Letters =
        "AÀÁÂÃÄÅĀĂĄǍǞǠǺȀȂȦ CÇĆĈĊČ DĎ EÈÉÊËĒĔĖĘĚȄȆȨ GĜĞĠĢǦǴ HĤȞ IÌÍÎÏĨĪĬĮİǏȈȊ JĴ KĶǨ LĹĻĽ NÑŃŅŇǸ OÒÓÔÕÖŌŎŐƠǑǪǬȌȎȪȬȮȰ " +
        "RŔŖŘȐȒ SŚŜŞŠȘ TŢŤȚ UÙÚÛÜŨŪŬŮŰŲƯǓǕǗǙǛȔȖ WŴ YÝŶŸȲ ZŹŻŽ aàáâãäåāăąǎǟǡǻȁȃȧ cçćĉċč dď eèéêëēĕėęěȅȇȩ gĝğġģǧǵ hĥȟ " +
        "iìíîïĩīĭįǐȉȋ jĵǰ kķǩ lĺļľ nñńņňǹ oòóôõöōŏőơǒǫǭȍȏȫȭȯȱ rŕŗřȑȓ sśŝşšș tţťț uùúûüũūŭůűųưǔǖǘǚǜȕȗ wŵ yýÿŷȳ zźżž ÆǢǼ " +
        "ØǾ æǣǽ øǿ ƷǮ ʒǯ ΑΆ ΕΈ ΗΉ ΙΊΪ ΟΌ ΥΎΫ ΩΏ αά εέ ηή ιΐίϊ οό υΰϋύ ωώ ϒϓϔ ІЇ АӐӒ ГЃ ЕЀЁӖ ЖӁӜ ЗӞ ИЍЙӢӤ КЌ ОӦ УЎӮӰӲ ЧӴ " +
        "ЫӸ ЭӬ аӑӓ гѓ еѐёӗ жӂӝ зӟ ийѝӣӥ кќ оӧ уўӯӱӳ чӵ ыӹ эӭ ії ѴѶ ѵѷ ӘӚ әӛ ӨӪ өӫ";

    private static readonly Dictionary<char, char> _plain =
        Letters.Split(' ').SelectMany(word => word.Skip(1).Select(marked => (marked, word[0]))).ToDictionary(pair => pair.marked, pair => pair.Item2);

    public static char Remove(char character) => _plain.GetValueOrDefault(character, character);

    public static bool IsCombining(char character) => character is
        (>= '\u0300' and <= '\u036F')
        or (>= '\u0591' and <= '\u05BD') or '\u05C1' or '\u05C2' or '\u05C4' or '\u05C5' or '\u05C7' // Hebrew
        or (>= '\u0610' and <= '\u0615') or (>= '\u064C' and <= '\u065E') or '\u0670'; // Arabic
}
