*** Settings ***
Documentation     Runs the firmware on each board and checks what it says.
...               renode-test --variable ELF_ALIF_E7:/path/alif-e7.elf boards.robot
...               (likewise the others); boards without ELF are skipped. The ELF holds the
...               model, or --variable MODEL:/path/alif-e7.model names a file with it.
Suite Setup       Setup
Suite Teardown    Teardown
Test Setup        Reset Emulation
Test Teardown     Test Teardown
Test Template     Firmware Should Run To Its End
Library           String
Resource          ${RENODEKEYWORDS}

*** Variables ***
${ELF_ALIF_E7}        ${EMPTY}
${ELF_APOLLO4}        ${EMPTY}
${ELF_DUE}            ${EMPTY}
${ELF_F072RB}         ${EMPTY}
${ELF_F103RB}         ${EMPTY}
${ELF_F401RE}         ${EMPTY}
${ELF_F407G_DISC1}    ${EMPTY}
${ELF_F411RE}         ${EMPTY}
${ELF_F429ZI}         ${EMPTY}
${ELF_F446RE}         ${EMPTY}
${ELF_F746G_DISCO}    ${EMPTY}
${ELF_F746ZG}         ${EMPTY}
${ELF_F767ZI}         ${EMPTY}
${ELF_FEATHER_M4}     ${EMPTY}
${ELF_G071RB}         ${EMPTY}
${ELF_G474RE}         ${EMPTY}
${ELF_GIGA_R1}        ${EMPTY}
${ELF_H743ZI}         ${EMPTY}
${ELF_H7A3ZI}         ${EMPTY}
${ELF_K64F}           ${EMPTY}
${ELF_L152RE}         ${EMPTY}
${ELF_L432KC}         ${EMPTY}
${ELF_L475_IOT1}      ${EMPTY}
${ELF_L476RG}         ${EMPTY}
${ELF_L496ZG}         ${EMPTY}
${ELF_L4R5ZI}         ${EMPTY}
${ELF_L552ZE}         ${EMPTY}
${ELF_LPC1768}        ${EMPTY}
${ELF_LPC55S69}       ${EMPTY}
${ELF_MAX78000}       ${EMPTY}
${ELF_MCXN947}        ${EMPTY}
${ELF_MPS3_AN547}     ${EMPTY}
${ELF_NANO_33_BLE}    ${EMPTY}
${ELF_NICLA_VISION}   ${EMPTY}
${ELF_NRF52832}       ${EMPTY}
${ELF_NRF52833}       ${EMPTY}
${ELF_NRF52840}       ${EMPTY}
${ELF_NRF5340}        ${EMPTY}
${ELF_NRF54L15}       ${EMPTY}
${ELF_NRF9160}        ${EMPTY}
${ELF_PICO}           ${EMPTY}
${ELF_PICO2}          ${EMPTY}
${ELF_PORTENTA_H7}    ${EMPTY}
${ELF_PSOC6}          ${EMPTY}
${ELF_RA6M5}          ${EMPTY}
${ELF_RA8M1}          ${EMPTY}
${ELF_RT1060}         ${EMPTY}
${ELF_SAME70}         ${EMPTY}
${ELF_SPARKFUN_EDGE}  ${EMPTY}
${ELF_TEENSY41}       ${EMPTY}
${ELF_U575ZI}         ${EMPTY}
${ELF_UNO_R4}         ${EMPTY}
${ELF_WB55RG}         ${EMPTY}
${ELF_WIO_TERMINAL}   ${EMPTY}
${ELF_XG24}           ${EMPTY}
${ELF_ZERO}           ${EMPTY}
${MODEL}              ${EMPTY}
${TIMEOUT}            60

*** Test Cases ***        BOARD           UART             ELF
Runs On ALIF-E7           alif-e7         sysbus.report    ${ELF_ALIF_E7}
Runs On APOLLO4           apollo4         sysbus.report    ${ELF_APOLLO4}
Runs On DUE               due             sysbus.report    ${ELF_DUE}
Runs On F072RB            f072rb          sysbus.report    ${ELF_F072RB}
Runs On F103RB            f103rb          sysbus.report    ${ELF_F103RB}
Runs On F401RE            f401re          sysbus.report    ${ELF_F401RE}
Runs On F407G-DISC1       f407g-disc1     sysbus.report    ${ELF_F407G_DISC1}
Runs On F411RE            f411re          sysbus.report    ${ELF_F411RE}
Runs On F429ZI            f429zi          sysbus.report    ${ELF_F429ZI}
Runs On F446RE            f446re          sysbus.usart2    ${ELF_F446RE}
Runs On F746G-DISCO       f746g-disco     sysbus.report    ${ELF_F746G_DISCO}
Runs On F746ZG            f746zg          sysbus.usart3    ${ELF_F746ZG}
Runs On F767ZI            f767zi          sysbus.usart3    ${ELF_F767ZI}
Runs On FEATHER-M4        feather-m4      sysbus.report    ${ELF_FEATHER_M4}
Runs On G071RB            g071rb          sysbus.report    ${ELF_G071RB}
Runs On G474RE            g474re          sysbus.report    ${ELF_G474RE}
Runs On GIGA-R1           giga-r1         sysbus.report    ${ELF_GIGA_R1}
Runs On H743ZI            h743zi          sysbus.report    ${ELF_H743ZI}
Runs On H7A3ZI            h7a3zi          sysbus.report    ${ELF_H7A3ZI}
Runs On K64F              k64f            sysbus.report    ${ELF_K64F}
Runs On L152RE            l152re          sysbus.report    ${ELF_L152RE}
Runs On L432KC            l432kc          sysbus.report    ${ELF_L432KC}
Runs On L475-IOT1         l475-iot1       sysbus.report    ${ELF_L475_IOT1}
Runs On L476RG            l476rg          sysbus.report    ${ELF_L476RG}
Runs On L496ZG            l496zg          sysbus.report    ${ELF_L496ZG}
Runs On L4R5ZI            l4r5zi          sysbus.report    ${ELF_L4R5ZI}
Runs On L552ZE            l552ze          sysbus.report    ${ELF_L552ZE}
Runs On LPC1768           lpc1768         sysbus.report    ${ELF_LPC1768}
Runs On LPC55S69          lpc55s69        sysbus.report    ${ELF_LPC55S69}
Runs On MAX78000          max78000        sysbus.report    ${ELF_MAX78000}
Runs On MCXN947           mcxn947         sysbus.report    ${ELF_MCXN947}
Runs On MPS3-AN547        mps3-an547      sysbus.report    ${ELF_MPS3_AN547}
Runs On NANO-33-BLE       nano-33-ble     sysbus.report    ${ELF_NANO_33_BLE}
Runs On NICLA-VISION      nicla-vision    sysbus.report    ${ELF_NICLA_VISION}
Runs On NRF52832          nrf52832        sysbus.report    ${ELF_NRF52832}
Runs On NRF52833          nrf52833        sysbus.report    ${ELF_NRF52833}
Runs On NRF52840          nrf52840        sysbus.report    ${ELF_NRF52840}
Runs On NRF5340           nrf5340         sysbus.report    ${ELF_NRF5340}
Runs On NRF54L15          nrf54l15        sysbus.report    ${ELF_NRF54L15}
Runs On NRF9160           nrf9160         sysbus.report    ${ELF_NRF9160}
Runs On PICO              pico            sysbus.report    ${ELF_PICO}
Runs On PICO2             pico2           sysbus.report    ${ELF_PICO2}
Runs On PORTENTA-H7       portenta-h7     sysbus.report    ${ELF_PORTENTA_H7}
Runs On PSOC6             psoc6           sysbus.report    ${ELF_PSOC6}
Runs On RA6M5             ra6m5           sysbus.report    ${ELF_RA6M5}
Runs On RA8M1             ra8m1           sysbus.report    ${ELF_RA8M1}
Runs On RT1060            rt1060          sysbus.report    ${ELF_RT1060}
Runs On SAME70            same70          sysbus.report    ${ELF_SAME70}
Runs On SPARKFUN-EDGE     sparkfun-edge   sysbus.report    ${ELF_SPARKFUN_EDGE}
Runs On TEENSY41          teensy41        sysbus.report    ${ELF_TEENSY41}
Runs On U575ZI            u575zi          sysbus.report    ${ELF_U575ZI}
Runs On UNO-R4            uno-r4          sysbus.report    ${ELF_UNO_R4}
Runs On WB55RG            wb55rg          sysbus.report    ${ELF_WB55RG}
Runs On WIO-TERMINAL      wio-terminal    sysbus.report    ${ELF_WIO_TERMINAL}
Runs On XG24              xg24            sysbus.report    ${ELF_XG24}
Runs On ZERO              zero            sysbus.report    ${ELF_ZERO}

*** Keywords ***
Firmware Should Run To Its End
    [Arguments]    ${board}    ${uart}    ${elf}
    Skip If    '${elf}' == ''    no ELF file is given for ${board}
    ${folder}=    Path For The Monitor    ${CURDIR}
    ${elf}=    Path For The Monitor    ${elf}
    Execute Command    $elf=@${elf}
    Execute Command    include @${folder}/${board}.resc
    IF    '${MODEL}' != ''
        ${file}=    Path For The Monitor    ${MODEL}
        Execute Command    $model=@${file}
        Execute Command    include @${folder}/model.resc
    END
    Create Terminal Tester    ${uart}    timeout=${TIMEOUT}    defaultPauseEmulation=true
    Register Failing Uart String    ^@1 \\d+ end status=failed .*    treatAsRegex=true
    Wait For Line On Uart    ^@1 0 hello .* board=${board} .*    treatAsRegex=true
    Wait For Line On Uart    ^@1 \\d+ end status=ok .*    treatAsRegex=true
    No Access Should Have Left Memory

Path For The Monitor
    [Documentation]    Spaces stand behind backslashes.
    [Arguments]    ${path}
    ${escaped}=    Replace String    ${path}    ${SPACE}    \\${SPACE}
    RETURN    ${escaped}

No Access Should Have Left Memory
    [Documentation]    Renode logs and ignores such accesses; a board traps.
    ${reads}=    Execute Command    sysbus UnexpectedReads
    ${writes}=    Execute Command    sysbus UnexpectedWrites
    Should Be Equal As Integers    ${{int($reads.strip(), 0)}}    0
    Should Be Equal As Integers    ${{int($writes.strip(), 0)}}    0
