*** Settings ***
Documentation     Runs the firmware on each board and checks what it says.
...               renode-test --variable ELF_F446RE:/path/f446re.elf boards.robot
...               (likewise ELF_F746ZG, ELF_F767ZI); boards without ELF are skipped. The ELF holds the
...               model, or --variable MODEL:/path/f446re.model names a file with it.
Suite Setup       Setup
Suite Teardown    Teardown
Test Setup        Reset Emulation
Test Teardown     Test Teardown
Test Template     Firmware Should Run To Its End
Resource          ${RENODEKEYWORDS}

*** Variables ***
${ELF_F446RE}     ${EMPTY}
${ELF_F746ZG}     ${EMPTY}
${ELF_F767ZI}     ${EMPTY}
${MODEL}          ${EMPTY}
${TIMEOUT}        60

*** Test Cases ***        BOARD     UART             ELF
Runs On F446RE            f446re    sysbus.usart2    ${ELF_F446RE}
Runs On F746ZG            f746zg    sysbus.usart3    ${ELF_F746ZG}
Runs On F767ZI            f767zi    sysbus.usart3    ${ELF_F767ZI}

*** Keywords ***
Firmware Should Run To Its End
    [Arguments]    ${board}    ${uart}    ${elf}
    Skip If    '${elf}' == ''    no ELF file is given for ${board}
    Execute Command    $elf=@${elf}
    Execute Command    include @${CURDIR}/${board}.resc
    IF    '${MODEL}' != ''
        Execute Command    $model=@${MODEL}
        Execute Command    include @${CURDIR}/model.resc
    END
    Create Terminal Tester    ${uart}    timeout=${TIMEOUT}    defaultPauseEmulation=true
    Register Failing Uart String    ^@1 \\d+ end status=failed .*    treatAsRegex=true
    Wait For Line On Uart    ^@1 0 hello .* board=${board} .*    treatAsRegex=true
    Wait For Line On Uart    ^@1 \\d+ end status=ok .*    treatAsRegex=true
    No Access Should Have Left Memory

No Access Should Have Left Memory
    [Documentation]    Renode logs and ignores such accesses; a board traps.
    ${reads}=    Execute Command    sysbus UnexpectedReads
    ${writes}=    Execute Command    sysbus UnexpectedWrites
    Should Be Equal As Integers    ${{int($reads.strip(), 0)}}    0
    Should Be Equal As Integers    ${{int($writes.strip(), 0)}}    0
