@echo off
rem The commands of build.sh on Windows, where the genuine packages are served: build.cmd train^|test^|bench^|run [arguments]
setlocal
cd /d "%~dp0"
set DOTNET_NOLOGO=1
set options=-c Release -p:UseStandIns=false
for /f "tokens=1,*" %%a in ("%*") do (set command=%%a& set rest=%%b)

if "%command%"=="train" (dotnet run --project src/Samples %options% -- train %rest% & goto end)
if "%command%"=="run"   (dotnet run --project src/Samples %options% -- %rest% & goto end)
if "%command%"=="bench" (dotnet run --project tests/MLNetExtension.Benchmarks %options% -- %rest% & goto end)
if "%command%"=="test"  (dotnet test %options% --filter "TestCategory!=Gpu" %rest% & goto end)
echo usage: build.cmd train^|test^|bench^|run [arguments of the program]
exit /b 2

:end
exit /b %errorlevel%
