using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace MLNetExtension.Tests.Documentation;

/// <summary>Compiles programs in memory, as a project of the reader's would: C# 14, nullable, the SDK's implicit usings, and what this test project references.</summary>
internal static class ProgramCompiler
{
    private const string ImplicitUsings =
        "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; "
        + "global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;";

    private static readonly CSharpParseOptions _parsing = new(LanguageVersion.CSharp14, DocumentationMode.None);

    // Assemblies built against an earlier .NET; every project of the SDK leaves these two out.
    private static readonly Dictionary<string, ReportDiagnostic> _suppressed = new() { ["CS1701"] = ReportDiagnostic.Suppress, ["CS1702"] = ReportDiagnostic.Suppress };

    // This assembly is left out: a program sees what a reader's would, the library and its packages.
    private static readonly Lazy<MetadataReference[]> _references = new(() =>
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileName(path) is not ("MLNetExtension.Tests.dll" or "MLNetExtension.InteropTests.dll" or "Samples.dll"))
            .Select(path => MetadataReference.CreateFromFile(path)),
    ]);

    // All programs have its name: compilations of one name share what has been read of the references, and each program is loaded apart.
    private static readonly Lazy<CSharpCompilation> _empty = new(() => CSharpCompilation.Create(
        "Program",
        [CSharpSyntaxTree.ParseText(ImplicitUsings, _parsing)],
        _references.Value,
        new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable, optimizationLevel: OptimizationLevel.Release,
            specificDiagnosticOptions: _suppressed)));

    /// <summary>Compiles source files to one program, and loads it.</summary>
    /// <inheritdoc cref="CompileImage"/>
    /// <returns>The loaded assembly.</returns>
    public static Assembly Compile(string name, params IEnumerable<string> sources) => Assembly.Load(CompileImage(name, sources));

    /// <summary>Compiles source files to one program.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="sources">One of them has top-level statements.</param>
    /// <returns>The assembly's file.</returns>
    /// <exception cref="AssertFailedException">There are errors or warnings; the message lists them.</exception>
    public static byte[] CompileImage(string name, params IEnumerable<string> sources)
    {
        CSharpCompilation compilation = _empty.Value.AddSyntaxTrees(sources.Select(source => CSharpSyntaxTree.ParseText(source, _parsing)));
        using var image = new MemoryStream();
        string[] faults = [.. compilation.Emit(image).Diagnostics.Where(each => each.Severity >= DiagnosticSeverity.Warning).Select(each => each.ToString())];
        Assert.IsEmpty(faults, $"{name} does not compile cleanly:\n{string.Join('\n', faults)}");
        return image.ToArray();
    }
}
